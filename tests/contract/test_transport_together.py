"""Concurrent steps on one host.

An observe during an apply, and the step of an interrupted run that is still running.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rancherctl.events import ignore
from rancherctl.hosts.model import Package, Resource
from rancherctl.hosts.observe import observe
from rancherctl.hosts.plan import plan
from rancherctl.hosts.remote import disk
from rancherctl.hosts.remote import observe as remote_observe
from rancherctl.hosts.remote_call import HostStepError, call
from rancherctl.hosts.remove import remove
from tests.fakes.transport import FakeTransport

GUARD = "run/rancherctl/.step.guard"


@pytest.fixture
def host(tmp_path: Path) -> FakeTransport:
    host = FakeTransport(tmp_path)
    host.change(available={"haproxy": []})
    return host


@contextmanager
def earlier_step(host: FakeTransport) -> Iterator[None]:
    """A step of another run is running on the host."""
    path = host.root / GUARD
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_two_writers_of_one_file_never_mix_their_content(tmp_path: Path) -> None:
    """The last writer wins: no write fails, and no reader sees a mixture."""
    path, me = str(tmp_path / "file"), disk.owner_of(os.geteuid(), os.getegid())
    texts = [letter * 70_000 for letter in (b"a", b"b", b"c")]
    failures: list[Exception] = []
    start = threading.Barrier(len(texts))

    def write(text: bytes) -> None:
        start.wait()
        try:
            for _ in range(60):
                disk.write(path, text, 0o600, me)
                assert (tmp_path / "file").read_bytes() in texts
        except Exception as error:  # noqa: BLE001 - asserted by the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [place.name for place in tmp_path.iterdir()] == ["file"]


def test_the_temporary_file_of_a_killed_writer_is_not_used_and_blocks_no_one(tmp_path: Path) -> None:
    me = disk.owner_of(os.geteuid(), os.getegid())
    left, elsewhere = tmp_path / ".file.rancherctl-new", tmp_path / "elsewhere"
    left.write_text("half")
    os.link(left, elsewhere)  # somebody who may write in this folder keeps a name for what comes
    disk.write(str(tmp_path / "file"), b"whole", 0o600, me)
    assert (tmp_path / "file").read_text() == "whole"
    assert elsewhere.read_text() == "half"
    left.symlink_to(elsewhere)
    disk.write(str(tmp_path / "file"), b"once more", 0o600, me)
    os.mkfifo(left)
    disk.write(str(tmp_path / "file"), b"again", 0o600, me)
    assert (tmp_path / "file").read_text() == "again"
    assert elsewhere.read_text() == "half"


def test_observing_does_not_wait_for_a_running_step(host: FakeTransport) -> None:
    with earlier_step(host):
        assert observe(host, (Package("haproxy"),)).states == {}


def test_waiting_too_long_fails_and_names_the_reason(host: FakeTransport) -> None:
    with earlier_step(host), pytest.raises(HostStepError) as caught:
        call(host, {"op": "apply", "directories": [], "patience": 0.2})
    assert "an earlier rancherctl step is still running on this host; waited 0.2 s" in caught.value.why


def test_the_lock_file_is_removed_with_its_folder(host: FakeTransport) -> None:
    remove(host, ignore, paths=("/run/rancherctl",))
    assert not (host.root / "run/rancherctl").exists()


def test_observing_needs_no_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of big files are cached only for speed: a full or read-only disk can be observed, too."""
    monkeypatch.setattr(disk, "ROOT", str(tmp_path))
    (tmp_path / "var/lib/rancherctl").mkdir(parents=True)
    (tmp_path / "big").write_bytes(bytes(disk.STAMPED_SIZE))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "write", full)
    answer = remote_observe.observe({"paths": {"/big": {}}})
    assert answer["paths"]["/big"]["type"] == "file"
    assert answer["errors"] == {}


def test_an_unreadable_package_database_does_not_mean_missing_packages(host: FakeTransport) -> None:
    program = host.folder / "bin/dpkg-query"
    program.write_text("#!/bin/sh\necho 'dpkg-query: error: parsing file /var/lib/dpkg/status' >&2\nexit 2\n")
    resources: tuple[Resource, ...] = (Package("haproxy"),)
    seen = observe(host, resources)
    assert [(unknown.where, "parsing file" in unknown.why) for unknown in seen.unknown] == [("packages", True)]
    assert not plan(resources, seen)

"""Contract of every transport: this machine itself, and each ssh client to a server in this process."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rancherctl.errors import UnreachableError
from rancherctl.hosts.command import Secret, command, script
from rancherctl.hosts.local import LocalTransport
from rancherctl.hosts.remote import disk
from rancherctl.hosts.remote_call import HostStepError
from rancherctl.hosts.transport import CommandFailedError, Transport
from tests.fakes.ssh_client import connect
from tests.fakes.ssh_server import SshServer


@pytest.fixture(params=["local", "paramiko", "paramiko-sudo", "paramiko-password", "openssh", "openssh-password"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Transport]:
    if request.param == "local":
        if os.geteuid() != 0:
            pytest.skip("local commands with root rights need root")
        yield LocalTransport()
        return
    with ExitStack() as stack:
        server = stack.enter_context(SshServer(tmp_path / "server"))
        client, _, way = request.param.partition("-")
        server.sudo("asks" if way == "password" else "free")
        made = connect(
            server, tmp_path, client=client, user="ops" if way else "root", sudo=lambda login: Secret("right")
        )
        stack.callback(made.close)
        yield made


def test_status_output_and_errors_are_separate(transport: Transport) -> None:
    result = transport.run(script("echo out; echo err >&2; exit 3"), check=False)
    assert (result.status, result.stdout, result.stderr) == (3, b"out\n", b"err\n")


def test_failure_names_host_command_and_reason(transport: Transport) -> None:
    with pytest.raises(CommandFailedError, match="exited with status 2: no such thing"):
        transport.run(script("echo no such thing >&2; exit 2"))


def test_arguments_arrive_unchanged(transport: Transport) -> None:
    words = ("a b", "$HOME", "'", '"', "new\nline", "ü", "", "*", "--", "`id`")
    result = transport.run(command("printf", "%s|", *words))
    assert result.stdout.decode() == "".join(f"{word}|" for word in words)


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000])
def test_input_of_any_size_comes_back(transport: Transport, size: int) -> None:
    data = os.urandom(size)
    assert transport.run(command("cat", stdin=data)).stdout == data


def test_both_outputs_are_read_in_parallel(transport: Transport) -> None:
    noisy = "head -c 3000000 /dev/zero >&2 & head -c 3000000 /dev/zero; wait"
    result = transport.run(script(noisy))
    assert (len(result.stdout), len(result.stderr)) == (3_000_000, 3_000_000)


def test_command_may_leave_its_input_unread(transport: Transport) -> None:
    assert transport.run(command("true", stdin=bytes(3_000_000))).ok


def test_the_first_line_of_the_input_is_not_lost(transport: Transport) -> None:
    assert transport.run(command("cat", stdin="first\nsecond\n")).stdout == b"first\nsecond\n"


def test_the_time_limit_ends_the_command(transport: Transport, tmp_path: Path) -> None:
    transport.run(command("true"))
    ended = tmp_path / "ended"
    with pytest.raises(UnreachableError, match="did not finish within"):
        transport.run(script("sleep 60; touch $1", str(ended), timeout=0.5))
    assert not ended.exists()
    assert transport.run(command("true")).ok


def test_missing_program_is_a_result(transport: Transport) -> None:
    assert transport.run(command("no-such-program-here"), check=False).status == 127


def test_commands_run_in_parallel(transport: Transport) -> None:
    out: dict[int, str] = {}

    def one(number: int) -> None:
        out[number] = transport.run(command("printf", "%s", str(number))).text()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert out == {number: str(number) for number in range(20)}


@pytest.fixture
def mine(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> Callable[[str], None]:
    """Uploads are owned by root, which only root can do."""
    if os.geteuid() != 0:
        pytest.skip("uploads are owned by root")
    return lambda path: None


@pytest.mark.usefixtures("mine")
def test_an_upload_has_content_mode_owner_and_progress(transport: Transport, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "deep" / "er" / "target"
    source.write_bytes(os.urandom(3_500_000))
    seen: list[tuple[int, int]] = []
    transport.upload(source, str(target), mode=0o750, progress=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o750
    assert disk.owner_of(target.stat().st_uid, target.stat().st_gid) == "root:root"
    assert seen[-1] == (3_500_000, 3_500_000)
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.usefixtures("mine")
def test_upload_replaces_and_empty_files_work(transport: Transport, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "out" / "target"
    source.write_bytes(b"one")
    transport.upload(source, str(target))
    source.write_bytes(b"")
    transport.upload(source, str(target))
    assert target.read_bytes() == b""


@pytest.mark.usefixtures("mine")
def test_an_interrupted_upload_is_resumed(transport: Transport, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "out" / "target"
    source.write_bytes(os.urandom(6_000_000))

    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 4_000_000:
            raise StopError

    with pytest.raises(StopError):
        transport.upload(source, str(target), progress=stop)
    assert not target.exists()
    deadline = time.monotonic() + 60
    # the receiver writes the partial file once it sees the end of its input
    while sum(part.stat().st_size for part in target.parent.iterdir()) < 2_000_000:
        assert time.monotonic() < deadline
        transport.run(command("true"))
    seen: list[int] = []
    transport.upload(source, str(target), progress=lambda done, total: seen.append(done))
    assert seen[0] > 2_000_000
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.usefixtures("mine")
def test_a_partial_upload_of_other_content_is_not_resumed(transport: Transport, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "out" / "target"
    source.write_bytes(b"new content")
    target.parent.mkdir()
    (target.parent / ".target.0123.rancherctl-part").write_bytes(b"old")
    transport.upload(source, str(target))
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.usefixtures("mine")
def test_upload_onto_a_directory_is_refused(transport: Transport, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "out"
    source.write_bytes(b"x")
    target.mkdir()
    with pytest.raises(HostStepError, match="is a directory"):
        transport.upload(source, str(target))


def test_secret_words_are_not_shown(transport: Transport) -> None:
    with pytest.raises(CommandFailedError) as caught:
        transport.run(command("false", Secret("hunter2"), stdin="hunter3"))
    assert "hunter" not in str(caught.value) + repr(caught.value) + shlex.quote(caught.value.result.command.show())

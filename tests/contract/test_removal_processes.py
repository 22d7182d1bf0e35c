"""Which processes of a host belong to an environment when it is removed."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rancherctl.environments.removal import remote


@contextmanager
def running(*argv: str) -> Iterator[int]:
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"up\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"up\n"
        try:
            yield process.pid
        finally:
            process.kill()


def test_a_shim_is_found_by_the_file_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "shim"
    shutil.copy(shutil.which("cat") or "/bin/cat", program)
    monkeypatch.setattr(remote, "SHIMS", f"{tmp_path}/")
    with running(str(program)) as pid:
        assert remote.processes([]) == {pid}
        assert remote.program_of(str(pid)) == str(program)


def test_a_shell_that_runs_the_programs_text_does_not_belong_to_it() -> None:
    """With sudo the program is an argument of sudo and sh: they would be killed, or reported as leftovers."""
    with running("sh", "-c", f"cat; : {remote.SHIMS}") as pid:
        assert pid not in remote.processes([])


def test_a_control_group_that_stays_busy_for_a_moment_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ended process counts in its control group until the kernel has reaped it."""
    inner = tmp_path / "kubepods" / "pod"
    inner.mkdir(parents=True)
    real, refusals = os.rmdir, [errno.EBUSY] * 3

    def rmdir(path: str) -> None:
        if refusals:
            raise OSError(refusals.pop(), "busy")
        real(path)

    monkeypatch.setattr(os, "rmdir", rmdir)
    monkeypatch.setattr(remote, "pods", lambda: [str(path) for path in (inner, inner.parent) if path.exists()])
    remote.clear_groups(time.monotonic() + 60)
    assert not inner.parent.exists()


def test_the_wait_for_a_busy_control_group_is_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stays").touch()
    monkeypatch.setattr(remote, "pods", lambda: [str(tmp_path)])
    remote.clear_groups(time.monotonic())
    assert tmp_path.exists()

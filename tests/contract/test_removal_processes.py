"""Which processes of a host count as ours when an environment is removed."""

from __future__ import annotations

import shutil
import subprocess
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


def test_a_shell_that_was_given_the_programs_text_is_not_ours() -> None:
    """A login that is not root sends the program as words of sudo and sh: they would be killed, or be told as left over."""
    with running("sh", "-c", f"cat; : {remote.SHIMS}") as pid:
        assert pid not in remote.processes([])

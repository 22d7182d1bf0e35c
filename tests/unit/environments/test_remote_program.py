"""The programs that are sent to hosts run there alone: with the standard library and what travels with them."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from rancherctl.environments.remote_program import call, program_of
from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.remote import disk
from rancherctl.hosts.transport import Transport

ME = disk.owner_of(os.geteuid(), os.getegid())


def run(package: str, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    argv = [sys.executable, "-ISc", program_of(f"rancherctl.environments.{package}")]
    done = subprocess.run(
        argv, input=json.dumps(request).encode(), capture_output=True, cwd=folder, umask=0o077, timeout=60, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_files_are_installed_whole_in_folders_that_daemons_can_read(tmp_path: Path) -> None:
    path = tmp_path / "pki" / "x.key"
    item = {"path": str(path), "content": base64.b64encode(b"key").decode(), "mode": 0o600, "owner": ME}
    assert run("pki", {"op": "install", "files": [item]}, tmp_path) == {"ok": {"written": [str(path)]}}
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (
        b"key",
        0o600,
        0o755,
    )
    assert (
        run("pki", {"op": "observe", "files": [str(path)], "keys": []}, tmp_path)["ok"]["files"][str(path)]["owner"]
        == ME
    )
    assert [p.name for p in path.parent.iterdir()] == ["x.key"]


def test_what_a_host_was_like_is_written_once(tmp_path: Path) -> None:
    request = {"op": "remember", "path": str(tmp_path / "state" / "before.json"), "files": [], "maybe": []}
    assert run("removal", request, tmp_path) == {"ok": {"new": True}}
    assert run("removal", request, tmp_path) == {"ok": {"new": False}}


@pytest.mark.parametrize("package", ["pki", "removal"])
def test_an_error_is_an_answer(package: str, tmp_path: Path) -> None:
    assert "error" in run(package, {"op": "nonsense"}, tmp_path)


def test_a_program_fits_into_one_word_of_a_command_line() -> None:
    assert max(len(program_of(f"rancherctl.environments.{package}")) for package in ("pki", "removal")) < 64 << 10


@pytest.mark.parametrize(
    ("why", "hint"),
    [("[Errno 28] No space left on device: '/etc/x'", "free space on the host"), ("something else", "")],
)
def test_a_full_disk_says_what_to_do(why: str, hint: str) -> None:
    class Full:
        name = "h2"

        def run(self, command: Command, *, check: bool = True) -> Result:
            return Result(command, 0, json.dumps({"error": why}).encode(), b"")

    with pytest.raises(RancherctlError, match="h2: install") as caught:
        call(cast("Transport", Full()), "rancherctl.environments.pki", {"op": "install"})
    assert caught.value.why == why
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)

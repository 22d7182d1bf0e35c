"""Programs that are sent to hosts run there alone: with the standard library and what travels with them."""

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

from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.remote import disk
from rancherctl.hosts.remote_call import ARGV, MODULES, call, request_bytes
from rancherctl.hosts.transport import Transport

ME = disk.owner_of(os.geteuid(), os.getegid())
PKI, REMOVAL = "rancherctl.environments.pki.remote", "rancherctl.environments.removal.remote"


def run(module: str, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, *ARGV[1:]],
        input=request_bytes(request, module),
        capture_output=True,
        cwd=folder,
        umask=0o077,
        timeout=60,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_files_are_installed_whole_in_folders_that_daemons_can_read(tmp_path: Path) -> None:
    path = tmp_path / "pki" / "x.key"
    item = {"path": str(path), "content": base64.b64encode(b"key").decode(), "mode": 0o600, "owner": ME}
    assert run(PKI, {"op": "install", "files": [item]}, tmp_path) == {"ok": {"written": [str(path)]}}
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (
        b"key",
        0o600,
        0o755,
    )
    seen = run(PKI, {"op": "observe", "files": [str(path)], "keys": []}, tmp_path)["ok"]["files"]
    assert seen[str(path)]["owner"] == ME
    assert [p.name for p in path.parent.iterdir()] == ["x.key"]


def test_the_first_record_of_a_host_is_never_overwritten(tmp_path: Path) -> None:
    request = {"op": "remember", "path": str(tmp_path / "state" / "before.json"), "files": [], "maybe": [], "spare": []}
    assert run(REMOVAL, request, tmp_path) == {"ok": {"new": True}}
    assert run(REMOVAL, request, tmp_path) == {"ok": {"new": False}}


@pytest.mark.parametrize("module", [PKI, REMOVAL])
def test_an_unknown_operation_is_answered_with_an_error(module: str, tmp_path: Path) -> None:
    assert run(module, {"op": "nonsense"}, tmp_path) == {"error": "KeyError: 'nonsense'"}


@pytest.mark.parametrize("operation", sorted(MODULES))
def test_every_operation_of_hosts_is_loaded_with_all_that_it_imports(operation: str, tmp_path: Path) -> None:
    """An incomplete request is answered with an error of the operation, not with an import error of the loader."""
    answer = run("", {"op": operation, "root": str(tmp_path / "root")}, tmp_path)
    assert "ModuleNotFoundError" not in str(answer)
    assert "ImportError" not in str(answer)


def test_secrets_travel_on_standard_input_only() -> None:
    sent: list[Command] = []

    class Host:
        name = "h2"

        def run(self, command: Command, *, check: bool = True) -> Result:
            sent.append(command)
            return Result(command, 0, b'{"ok": {}}\n', b"")

    call(cast("Transport", Host()), {"op": "install", "files": ["top secret"]}, module=PKI)
    assert "top secret" not in " ".join(sent[0].argv)
    assert b"top secret" in (sent[0].stdin or b"")


@pytest.mark.parametrize(
    ("why", "hint"),
    [("[Errno 28] No space left on device: '/etc/x'", "free space on the host"), ("something else", "")],
)
def test_the_hint_for_a_full_disk_is_to_free_space(why: str, hint: str) -> None:
    class Full:
        name = "h2"

        def run(self, command: Command, *, check: bool = True) -> Result:
            return Result(command, 0, json.dumps({"error": why}).encode(), b"")

    with pytest.raises(RancherctlError, match="h2: pki install failed") as caught:
        call(cast("Transport", Full()), {"op": "install"}, module=PKI)
    assert caught.value.why == why
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) == bool(hint)

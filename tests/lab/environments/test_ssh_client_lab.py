"""An environment through the system's OpenSSH, then through paramiko: both do all the work and leave nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.lab.session import running_lab
from tests.lab.support import all_hosts_take_part, lab_name, make, until


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder for control sockets, whose paths must be short."""
    with tempfile.TemporaryDirectory(prefix="ssh", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.slow
def test_an_environment_is_created_changed_and_removed_with_either_client(tmp_path: Path, sockets: Path) -> None:
    name = lab_name("c")
    with running_lab(name, 2) as lab:
        env = make(name, lab, tmp_path, ssh={"client": "openssh"})
        env.extra["TMPDIR"] = str(sockets)

        created = env.rancherctl("-v", "env", "create", "-f", str(env.file))
        assert created.returncode == 0, created.stderr
        for host in ("h1", "h2"):
            assert created.stderr.count(f"{host}: ssh client OpenSSH (requested)") == 1
        assert "paramiko" not in created.stderr
        until("all hosts take part", lambda: all_hosts_take_part(env))
        assert list(sockets.iterdir()) == []

        shown = json.loads(env.ok("env", "show", name, "-o", "json"))
        assert [(row["host"], row["client"]) for row in shown["status"]["ssh"]] == [
            ("h1", "OpenSSH"),
            ("h2", "OpenSSH"),
        ]
        assert "is up to date" in env.rancherctl("env", "apply", name).stderr

        # the client is not part of what hosts are like: no step but the stored file
        env.file.write_text(env.file.read_text().replace("client: openssh", "client: paramiko"))
        changed = env.rancherctl("-v", "env", "apply", "-f", str(env.file))
        assert changed.returncode == 0, changed.stderr
        assert "h2: ssh client paramiko (requested)" in changed.stderr
        assert "OpenSSH" not in changed.stderr
        assert "is up to date" in env.rancherctl("env", "apply", name).stderr

        env.file.write_text(env.file.read_text().replace("client: paramiko", "client: openssh"))
        env.ok("env", "apply", "-f", str(env.file))
        removed = env.rancherctl("-v", "env", "rm", name, "--confirm", name)
        assert removed.returncode == 0, removed.stderr
        assert "h1: ssh client OpenSSH (requested)" in removed.stderr
        assert list(sockets.iterdir()) == []
        assert env.ssh("h1", "ls -d /etc/rancherctl /opt/rancherctl 2>/dev/null || true").strip() == ""

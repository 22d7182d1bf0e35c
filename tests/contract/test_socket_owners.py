"""Owners of listening sockets with the real ``ss``: the user, and the unit where there are cgroups of version 2."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rancherctl.contract import INGRESS_USER
from rancherctl.hosts.local import LocalTransport
from rancherctl.services.socket_owners import name_owners

pytestmark = pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
LISTEN = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"


def cgroup2() -> Path | None:
    """Where cgroups of version 2 are mounted."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    return next((Path(fields[1]) for fields in mounts if fields[2] == "cgroup2"), None)


def test_a_socket_of_this_process_is_named_by_its_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = ("tcp", server.getsockname()[1])
        said = name_owners(LocalTransport("h1"), [(port, os.geteuid())], {})[port]
    assert f"(process {os.getpid()})" in said


def test_another_users_program_that_may_not_be_seen_is_named_by_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the load balancer's own sockets are left out, whatever other programs are called."""
    ours = pwd.struct_passwd((INGRESS_USER, "x", 77, 77, "", "/", "/"))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: ours if uid == 77 else pwd.getpwnam("daemon"))
    free = (("tcp", 1), 1), (("tcp", 2), 77)
    assert name_owners(LocalTransport("h1"), free, {}) == {("tcp", 1): "a program of user daemon"}


@pytest.mark.skipif(os.geteuid() != 0 or cgroup2() is None, reason="needs root and cgroups of version 2")
def test_a_unit_is_found_by_the_cgroup_of_its_socket(tmp_path: Path) -> None:
    root = cgroup2()
    assert root is not None
    unit = root / f"rancherctl-test-{os.getpid()}.service"
    unit.mkdir()
    try:
        script = f'echo $$ >{unit}/cgroup.procs && exec {sys.executable} -c "$0"'
        argv = ["sh", "-c", script, LISTEN]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = ("tcp", int(server.stdout.readline()))
            ss = tmp_path / "ss"
            real = shutil.which("ss")
            # As an agent sees it: no processes, and numbers of cgroups instead of paths.
            ss.write_text(
                f"#!/bin/sh\n{real} \"$@\" | sed 's/users:[^ ]*//; s, cgroup:/[^ ]*, cgroup:unreachable:'$N,g\n"
            )
            ss.chmod(0o755)
            environment = os.environ | {"N": f"{unit.stat().st_ino:x}", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
            code = (
                "from pathlib import Path; from rancherctl.hosts.local import LocalTransport;"
                "from rancherctl.services.socket_owners import name_owners;"
                f"print(name_owners(LocalTransport('h1'), [({port!r}, 0)], {{}}, Path({str(root)!r}))[{port!r}])"
            )
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=True
            )
            server.communicate("\n", timeout=10)
    finally:
        unit.rmdir()
    assert done.stdout.strip() == f"{unit.name} (user root)"

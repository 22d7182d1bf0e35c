"""Proxy commands that fail, and what they leave behind."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from rancherctl.errors import UnreachableError
from tests.fakes.ssh_site import Site, login_error


def alive(group: int) -> list[str]:
    """Processes of a group. Zombies do not count: they are for the machine's init to collect."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
            if pgrp == str(group) and state != "Z":
                found.append(path.parent.name)
    return found


def test_the_message_of_a_failed_proxy_command_is_shown_at_once(ssh_site: Site) -> None:
    begin = time.monotonic()
    config = ssh_site.config("IdentityFile {d}/good\nProxyCommand sh -c 'echo no route to the bastion >&2; exit 3'")
    error = login_error(config)
    assert time.monotonic() - begin < 5
    assert isinstance(error, UnreachableError)
    assert "h1: the ProxyCommand of the ssh configuration ended with status 3" in error.what
    assert error.why == "no route to the bastion (ssh client: paramiko)"
    assert "run it by hand: sh -c 'echo no route" in error.hint


def test_a_proxy_command_that_says_nothing_costs_no_time(ssh_site: Site) -> None:
    begin, cpu = time.monotonic(), time.process_time()
    error = login_error(ssh_site.config("IdentityFile {d}/good\nProxyCommand true"))
    assert time.monotonic() - begin < 10
    assert time.process_time() - cpu < 2
    assert isinstance(error, UnreachableError)


def test_a_closed_connection_leaves_no_proxy_command_behind(ssh_site: Site, tmp_path: Path) -> None:
    relay = f"{sys.executable} {{d}}/relay.py %h %p"
    config = ssh_site.config(f"IdentityFile {{d}}/good\nProxyCommand sh -c 'echo $$ > {tmp_path}/pid; {relay}; true'")
    assert login_error(config) is None
    group = int((tmp_path / "pid").read_text())
    assert not alive(group)

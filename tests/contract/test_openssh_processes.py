"""What the OpenSSH client leaves behind: no process and no file, however a login or this process ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.hosts.command import command
from rancherctl.hosts.openssh.master import Master
from tests.fakes.openssh import SSHD
from tests.fakes.openssh_site import Site, all_ended, left_of

RELAY = """import os, signal, socket, sys, threading
for name in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(name, signal.SIG_IGN)
end = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def copy():
    while data := os.read(0, 65536):
        end.sendall(data)
threading.Thread(target=copy, daemon=True).start()
while data := end.recv(65536):
    os.write(1, data)
signal.pause()
"""
"""A ProxyCommand that does not end by itself, nor when it is asked to."""

pytestmark = pytest.mark.skipif(not SSHD, reason="OpenSSH's server is not installed")


def proxied(own_site: Site) -> str:
    """Configuration that leads through the stubborn command."""
    (own_site.folder / "relay.py").write_text(RELAY)
    return f"Host *\nProxyCommand {sys.executable} {own_site.folder}/relay.py %h %p"


@pytest.mark.parametrize("lines", ["", "proxied"])
def test_a_closed_connection_leaves_no_process_and_no_file(own_site: Site, lines: str) -> None:
    transport = own_site.transport(proxied(own_site) if lines else "")
    transport.run(command("true"))
    assert left_of(own_site)
    transport.close()
    transport.close()
    assert all_ended(own_site), left_of(own_site)


DEAF = """
trap 'if test -e "$1/first"; then : > "$1/ended"; exit; fi; : > "$1/first"' TERM
echo ready >&2
while :; do sleep 0.01; done
"""
"""Misses the first SIGTERM, as OpenSSH 9.2 does now and then."""


def test_a_client_that_misses_a_signal_is_not_killed(tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    master = Master(["/bin/sh", "-c", DEAF, "sh", str(tmp_path)], tmp_path / "control", os.environ)
    assert master.wait_for(lambda: "ready" in master.noise, 20)
    master.close()
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize(
    "lines",
    [
        "Host *\nIdentityFile /no/such/key\nPubkeyAuthentication no",
        "Host *\nPort 1",
        "Host *\nProxyCommand sh -c 'echo no way >&2; exit 1'",
        "Host *\nUserKnownHostsFile /dev/null\nStrictHostKeyChecking yes",
    ],
)
def test_a_failed_login_leaves_no_process_and_no_file(own_site: Site, lines: str) -> None:
    transport = own_site.transport(lines)
    with pytest.raises((AuthError, UnreachableError)):
        transport.run(command("true"))
    assert all_ended(own_site), left_of(own_site)
    transport.close()


CHILD = """
import sys
from rancherctl.hosts.command import command, script
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.factory import OpenSshTransports
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh_configurations import SshConfigurations
factory = OpenSshTransports(Prompts(), SshConfigurations().settings)
transport = factory.create(SshAddress("h", config=sys.argv[1]), "h1")
transport.run(command("true"))
print("ready", flush=True)
transport.run(script("exec sleep 60"))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_end_of_our_own_process_ends_everything(own_site: Site, number: signal.Signals) -> None:
    """Even if it had no time to clean up: its master notices, and takes a stubborn ProxyCommand with it."""
    config = own_site.config(proxied(own_site))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(config)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    assert any("relay.py" in words for words in left_of(own_site))
    child.send_signal(number)
    child.wait(20)
    child.stdout.close()
    assert all_ended(own_site), left_of(own_site)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_end_of_our_own_process_ends_a_login_in_progress(own_site: Site, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        config = own_site.config(f"Host *\nPort {mute.getsockname()[1]}")
        with subprocess.Popen([sys.executable, "-c", CHILD, str(config)], stderr=subprocess.DEVNULL) as child:
            guest, _ = mute.accept()
            child.send_signal(number)
            assert child.wait(20)
        assert all_ended(own_site), left_of(own_site)
        guest.close()


def test_stopping_ends_a_login_in_progress_at_once(own_site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        transport = own_site.transport(f"Host *\nPort {mute.getsockname()[1]}")
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(transport.run, command("true"))
            guest, _ = mute.accept()
            begin = time.monotonic()
            transport.stop()
            with pytest.raises(UnreachableError, match="the connection is closed"):
                run.result(20)
        guest.close()
    assert time.monotonic() - begin < 5
    assert all_ended(own_site), left_of(own_site)


def test_a_login_that_does_not_go_on_is_given_up(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.hosts.openssh.login.LOGIN_LIMIT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        transport = own_site.transport(f"Host *\nPort {mute.getsockname()[1]}")
        with pytest.raises(UnreachableError, match="h1: the login did not finish: no progress for 1 s"):
            transport.run(command("true"))
    assert all_ended(own_site), left_of(own_site)


def test_a_long_or_strange_folder_for_temporary_files_is_passed_over(
    own_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a socket has a limit of about 100 bytes."""
    odd = own_site.folder / ("long" * 40) / "% $HOME"
    odd.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(odd))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(odd))
    transport = own_site.transport()
    assert transport.run(command("true")).ok
    master: Any = transport.connected()._master
    folder = master.folder
    transport.close()
    assert str(folder).startswith("/tmp/rctl-")
    assert not folder.exists()

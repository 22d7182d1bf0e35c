"""OpenSSH as the way to a host: what it leaves behind, what it notices, and what the user's configuration may contain.

What both ways have in common is tested for both in test_transport.py and its siblings.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.hosts.command import command, script
from rancherctl.hosts.connections import Connections
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.factory import OpenSshTransports
from rancherctl.hosts.openssh.transport import OpenSshTransport
from rancherctl.hosts.prompts import Prompts
from rancherctl.polling import poll_until
from tests.fakes.openssh import SSHD, USER, OpenSshServer, make_key
from tests.fakes.ports import free_port

pytestmark = pytest.mark.skipif(not SSHD, reason="OpenSSH's server is not installed")

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


@dataclass(frozen=True)
class Site:
    """A server, and the configuration of a client for it."""

    folder: Path
    server: OpenSshServer

    def config(self, lines: str = "") -> Path:
        """A configuration file whose hosts are all the server; ``lines`` come first."""
        path = self.folder / "config"
        path.write_text(
            f"{lines}\nHost *\nHostName 127.0.0.1\nPort {self.server.port}\nUser {USER}\nIdentitiesOnly yes\n"
            f"IdentityFile {self.folder}/key\nIdentityAgent none\nUserKnownHostsFile {self.folder}/known_hosts\n"
            "GlobalKnownHostsFile none\n"
        )
        return path

    def transport(self, lines: str = "") -> OpenSshTransport:
        return OpenSshTransports(Prompts()).create(SshAddress("h", config=str(self.config(lines))), "h1")

    def logins(self) -> int:
        return (self.folder / "server" / "log").read_text().count("Accepted publickey")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    private = tmp_path / "tmp"
    private.mkdir()
    monkeypatch.setenv("TMPDIR", str(private))
    make_key(tmp_path / "key")
    (tmp_path / "relay.py").write_text(RELAY)
    server = OpenSshServer(tmp_path / "server")
    server.authorize(tmp_path / "key")
    (tmp_path / "known_hosts").write_text(server.known_line)
    with server:
        yield Site(tmp_path, server)


def processes(mark: str) -> list[str]:
    """Command lines of running processes that contain a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if mark in words and int(path.name) != os.getpid():
            found.append(words)
    return found


def left_of(site: Site) -> list[str]:
    """Processes with a configuration or a folder of this test, and files in the folder for temporary files."""
    clients = [words for words in processes(str(site.folder)) if "sshd" not in words]
    return [*clients, *(path.name for path in (site.folder / "tmp").iterdir())]


def all_ended(site: Site) -> bool:
    """Killed processes end in an instant, but not in the same one."""
    return bool(poll_until(lambda: not left_of(site), 20, first=0.01))


def proxied(site: Site) -> str:
    return f"Host *\nProxyCommand {sys.executable} {site.folder}/relay.py %h %p"


@pytest.mark.parametrize("lines", ["", "proxied"])
def test_a_closed_connection_leaves_no_process_and_no_file(site: Site, lines: str) -> None:
    transport = site.transport(proxied(site) if lines else "")
    transport.run(command("true"))
    assert left_of(site)
    transport.close()
    transport.close()
    assert all_ended(site), left_of(site)


@pytest.mark.parametrize(
    "lines",
    [
        "Host *\nIdentityFile /no/such/key\nPubkeyAuthentication no",
        "Host *\nPort 1",
        "Host *\nProxyCommand sh -c 'echo no way >&2; exit 1'",
        "Host *\nUserKnownHostsFile /dev/null\nStrictHostKeyChecking yes",
    ],
)
def test_a_failed_login_leaves_no_process_and_no_file(site: Site, lines: str) -> None:
    transport = site.transport(lines)
    with pytest.raises((AuthError, UnreachableError)):
        transport.run(command("true"))
    assert all_ended(site), left_of(site)
    transport.close()


CHILD = """
import sys
from rancherctl.hosts.command import command, script
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.factory import OpenSshTransports
from rancherctl.hosts.prompts import Prompts
transport = OpenSshTransports(Prompts()).create(SshAddress("h", config=sys.argv[1]), "h1")
transport.run(command("true"))
print("ready", flush=True)
transport.run(script("exec sleep 60"))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_end_of_our_own_process_ends_everything(site: Site, number: signal.Signals) -> None:
    """Even if it had no time to clean up: its master notices, and takes a stubborn ProxyCommand with it."""
    config = site.config(proxied(site))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(config)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    assert any("relay.py" in words for words in left_of(site))
    child.send_signal(number)
    child.wait(20)
    child.stdout.close()
    assert all_ended(site), left_of(site)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_end_of_our_own_process_ends_a_login_in_progress(site: Site, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        config = site.config(f"Host *\nPort {mute.getsockname()[1]}")
        with subprocess.Popen([sys.executable, "-c", CHILD, str(config)], stderr=subprocess.DEVNULL) as child:
            guest, _ = mute.accept()
            child.send_signal(number)
            assert child.wait(20)
        assert all_ended(site), left_of(site)
        guest.close()


def test_stopping_ends_a_login_in_progress_at_once(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        transport = site.transport(f"Host *\nPort {mute.getsockname()[1]}")
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(transport.run, command("true"))
            guest, _ = mute.accept()
            begin = time.monotonic()
            transport.stop()
            with pytest.raises(UnreachableError, match="the connection is closed"):
                run.result(20)
        guest.close()
    assert time.monotonic() - begin < 5
    assert all_ended(site), left_of(site)


def test_a_login_that_does_not_go_on_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rancherctl.hosts.openssh.login.LOGIN_LIMIT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        transport = site.transport(f"Host *\nPort {mute.getsockname()[1]}")
        with pytest.raises(UnreachableError, match="h1: the login did not finish: no progress for 1 s"):
            transport.run(command("true"))
    assert all_ended(site), left_of(site)


def test_status_255_is_the_commands_own(site: Site) -> None:
    """OpenSSH's client uses this status for its own failures, too."""
    transport = site.transport()
    assert transport.run(script("exit 255"), check=False).status == 255
    transport.close()


def test_a_command_ended_by_a_signal_is_not_a_lost_connection(site: Site) -> None:
    transport = site.transport()
    assert transport.run(script("kill -9 $$"), check=False).status == -1
    assert transport.run(command("true")).ok
    transport.close()
    assert site.logins() == 1


def test_a_killed_master_is_a_lost_connection_and_the_next_command_logs_in_again(site: Site) -> None:
    transport = site.transport()
    transport.run(command("true"))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(transport.run, script(f"touch {site.folder}/started; exec sleep 60"))
        assert poll_until((site.folder / "started").exists, 20)
        transport.connected()._master._signal(signal.SIGKILL)
        with pytest.raises(UnreachableError, match="h1: connection lost during"):
            running.result(20)
    assert transport.run(command("true")).ok
    transport.close()
    assert site.logins() == 2
    assert all_ended(site), left_of(site)


def test_a_server_that_freezes_is_noticed_and_reached_again_later(site: Site) -> None:
    """A silent peer is dead: here after 3 s, with ServerAliveInterval 1."""
    transport = site.transport("Host *\nServerAliveInterval 1")
    frozen = int(transport.run(script("echo $PPID")).text())
    os.kill(frozen, signal.SIGSTOP)
    try:
        with pytest.raises(UnreachableError, match="h1: connection lost"):
            transport.run(command("true", timeout=30))
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert transport.run(command("true")).ok
    transport.close()


def test_more_commands_than_sessions_all_succeed(tmp_path: Path, site: Site) -> None:
    with OpenSshServer(tmp_path / "narrow", "MaxSessions 2") as server:
        server.authorize(tmp_path / "key")
        (tmp_path / "known_hosts").write_text(server.known_line)
        transport = site.transport(f"Host *\nPort {server.port}")
        with ThreadPoolExecutor(6) as pool:
            results = list(pool.map(lambda _: transport.run(command("true")), range(12)))
        transport.close()
    assert all(result.ok for result in results)
    assert site.logins() == 0


def test_what_the_configuration_wants_for_a_person_is_left_out(site: Site) -> None:
    """A command, a terminal, forwardings whose port is taken, the background, a control socket that is in use."""
    port = free_port()
    lines = (
        f"Host *\nRemoteCommand tmux attach\nRequestTTY force\nForwardAgent yes\nForwardX11 yes\n"
        f"LocalForward 127.0.0.1:{port} 127.0.0.1:1\nExitOnForwardFailure yes\nForkAfterAuthentication yes\n"
        f"ControlMaster auto\nControlPath {site.folder}/theirs\nControlPersist 60\nBatchMode yes\nLogLevel QUIET\n"
    )
    with socket.create_server(("127.0.0.1", port)):
        transport = site.transport(lines)
        assert transport.run(script("tty || echo none")).text().splitlines()[-1] == "none"
        transport.close()
    assert not (site.folder / "theirs").exists()
    assert all_ended(site), left_of(site)


def test_a_revoked_key_is_refused_however_the_configuration_writes_fingerprints(site: Site) -> None:
    """ssh itself goes on with StrictHostKeyChecking no."""
    kind, key = site.server.known_line.split()[1:3]
    with (site.folder / "known_hosts").open("a") as file:
        file.write(f"@revoked * {kind} {key}\n")
    transport = site.transport("Host *\nStrictHostKeyChecking no\nFingerprintHash md5\nVisualHostKey yes")
    with pytest.raises(
        AuthError, match=f"h1: the host key is revoked: ssh-ed25519 SHA256:.*{site.folder}/known_hosts:2"
    ):
        transport.run(command("true"))
    transport.close()
    assert all_ended(site), left_of(site)


def test_a_local_command_of_the_configuration_is_run(site: Site) -> None:
    transport = site.transport(f"Host *\nPermitLocalCommand yes\nLocalCommand touch {site.folder}/%n")
    assert transport.run(command("true")).ok
    transport.close()
    assert (site.folder / "h").exists()


def test_a_long_or_strange_folder_for_temporary_files_is_passed_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a socket has a limit of about 100 bytes."""
    odd = site.folder / ("long" * 40) / "% $HOME"
    odd.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(odd))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(odd))
    transport = site.transport()
    assert transport.run(command("true")).ok
    folder = transport.connected()._master.folder
    transport.close()
    assert str(folder).startswith("/tmp/rctl-")
    assert not folder.exists()


def test_a_connection_goes_both_ways_and_each_may_end_first(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = site.transport()
        stream = transport.open_tcp(*server.getsockname())
        peer, _ = server.accept()
        stream.sendall(b"question")
        stream.shutdown(socket.SHUT_WR)
        asked = b"".join(iter(lambda: peer.recv(100), b""))
        peer.sendall(b"answer")
        peer.close()
        answer = b"".join(iter(lambda: stream.recv(100), b""))
        stream.close()
        transport.close()
    assert (asked, answer) == (b"question", b"answer")


def test_the_reason_why_a_host_cannot_connect_is_given(site: Site) -> None:
    transport = site.transport()
    with pytest.raises(UnreachableError, match=r"h1: cannot connect from this host to 127.0.0.1:1: .*refused"):
        transport.open_tcp("127.0.0.1", 1)
    transport.close()


def test_many_hosts_share_one_jump_host_and_all_at_once(site: Site) -> None:
    config = site.config("Host host*\nProxyJump gate")
    with Connections(factory=OpenSshTransports(Prompts())) as connections:
        hosts = [connections.address(SshAddress(f"host{n}", config=str(config)), f"h{n}") for n in range(20)]
        with ThreadPoolExecutor(20) as pool:
            assert all(result.ok for result in pool.map(lambda host: host.run(command("true")), hosts))
        assert site.logins() == 21
    assert all_ended(site), left_of(site)


def test_hosts_behind_a_lost_jump_host_are_reached_through_a_new_connection(site: Site) -> None:
    factory = OpenSshTransports(Prompts())
    with Connections(factory=factory) as connections:
        host = connections.address(SshAddress("h", config=str(site.config("Host h\nProxyJump gate"))), "h1")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(host.run, script(f"touch {site.folder}/started; exec sleep 60"))
            assert poll_until((site.folder / "started").exists, 20)
            factory.shared()[0].connected().close()
            with pytest.raises(UnreachableError, match="h1: connection lost during"):
                running.result(20)
        assert host.run(command("true")).ok
        assert site.logins() == 4
    assert all_ended(site), left_of(site)


def test_a_jump_host_that_cannot_reach_the_host_says_why(site: Site) -> None:
    transport = site.transport("Host h\nProxyJump gate\nPort 1")
    with pytest.raises(UnreachableError) as caught:
        transport.run(command("true"))
    transport.close()
    assert "h1: cannot connect to 127.0.0.1:1 through 127.0.0.1" in caught.value.what
    assert "refused" in caught.value.why


def test_the_error_of_a_jump_host_names_the_jump_host(site: Site) -> None:
    transport = site.transport("Host h\nProxyJump gate\nHost gate\nHostName 127.0.0.2\nPort 1")
    with pytest.raises(UnreachableError, match=r"^127.0.0.2: cannot connect to 127.0.0.2:1: Connection refused"):
        transport.run(command("true"))
    transport.close()


def test_threads_that_wait_for_one_login_share_it(site: Site) -> None:
    transport = site.transport()
    threads = [threading.Thread(target=transport.run, args=(command("true"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    transport.close()
    assert site.logins() == 1

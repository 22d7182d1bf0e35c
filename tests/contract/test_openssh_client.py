"""OpenSSH as the way to a host: what it notices, and what the user's configuration may contain.

What both ways have in common is tested for both in test_transport.py and its siblings.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rancherctl.errors import AuthError, UnreachableError
from rancherctl.hosts.command import command, script
from rancherctl.hosts.connections import Connections
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.factory import OpenSshTransports
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh_configurations import SshConfigurations
from rancherctl.polling import poll_until
from tests.fakes.openssh import SSHD, OpenSshServer
from tests.fakes.openssh_site import Site, all_ended, left_of
from tests.fakes.ports import free_port

pytestmark = pytest.mark.skipif(not SSHD, reason="OpenSSH's server is not installed")


def test_status_255_is_the_commands_own(own_site: Site) -> None:
    """OpenSSH's client uses this status for its own failures, too."""
    transport = own_site.transport()
    assert transport.run(script("exit 255"), check=False).status == 255
    transport.close()


def test_a_command_ended_by_a_signal_is_not_a_lost_connection(own_site: Site) -> None:
    transport = own_site.transport()
    assert transport.run(script("kill -9 $$"), check=False).status == -1
    assert transport.run(command("true")).ok
    transport.close()
    assert own_site.logins() == 1


def test_a_killed_master_is_a_lost_connection_and_the_next_command_logs_in_again(own_site: Site) -> None:
    transport = own_site.transport()
    transport.run(command("true"))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(transport.run, script(f"touch {own_site.folder}/started; exec sleep 60"))
        assert poll_until((own_site.folder / "started").exists, 20)
        master: Any = transport.connected()._master
        master._signal(signal.SIGKILL)
        with pytest.raises(UnreachableError, match="h1: connection lost during"):
            running.result(20)
    assert transport.run(command("true")).ok
    transport.close()
    assert own_site.logins() == 2
    assert all_ended(own_site), left_of(own_site)


def test_a_server_that_freezes_is_noticed_and_reached_again_later(own_site: Site) -> None:
    """A silent peer is dead: here after 3 s, with ServerAliveInterval 1."""
    transport = own_site.transport("Host *\nServerAliveInterval 1")
    frozen = int(transport.run(script("echo $PPID")).text())
    os.kill(frozen, signal.SIGSTOP)
    try:
        with pytest.raises(UnreachableError, match="h1: connection lost"):
            transport.run(command("true", timeout=30))
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert transport.run(command("true")).ok
    transport.close()


def test_more_commands_than_sessions_all_succeed(tmp_path: Path, own_site: Site) -> None:
    with OpenSshServer(tmp_path / "narrow", "MaxSessions 2") as server:
        server.authorize(tmp_path / "key")
        (tmp_path / "known_hosts").write_text(server.known_line)
        transport = own_site.transport(f"Host *\nPort {server.port}")
        with ThreadPoolExecutor(6) as pool:
            results = list(pool.map(lambda _: transport.run(command("true")), range(12)))
        transport.close()
    assert all(result.ok for result in results)
    assert own_site.logins() == 0


def test_what_the_configuration_wants_for_a_person_is_left_out(own_site: Site) -> None:
    """A command, a terminal, forwardings whose port is taken, the background, a control socket that is in use."""
    port = free_port()
    lines = (
        f"Host *\nRemoteCommand tmux attach\nRequestTTY force\nForwardAgent yes\nForwardX11 yes\n"
        f"LocalForward 127.0.0.1:{port} 127.0.0.1:1\nExitOnForwardFailure yes\nForkAfterAuthentication yes\n"
        f"ControlMaster auto\nControlPath {own_site.folder}/theirs\nControlPersist 60\nBatchMode yes\nLogLevel QUIET\n"
    )
    with socket.create_server(("127.0.0.1", port)):
        transport = own_site.transport(lines)
        assert transport.run(script("tty || echo none")).text().splitlines()[-1] == "none"
        transport.close()
    assert not (own_site.folder / "theirs").exists()
    assert all_ended(own_site), left_of(own_site)


def test_a_revoked_key_is_refused_however_the_configuration_writes_fingerprints(own_site: Site) -> None:
    """ssh itself goes on with StrictHostKeyChecking no."""
    kind, key = own_site.server.known_line.split()[1:3]
    with (own_site.folder / "known_hosts").open("a") as file:
        file.write(f"@revoked * {kind} {key}\n")
    transport = own_site.transport("Host *\nStrictHostKeyChecking no\nFingerprintHash md5\nVisualHostKey yes")
    with pytest.raises(
        AuthError, match=f"h1: the host key is revoked: ssh-ed25519 SHA256:.*{own_site.folder}/known_hosts:2"
    ):
        transport.run(command("true"))
    transport.close()
    assert all_ended(own_site), left_of(own_site)


def test_a_local_command_of_the_configuration_is_run(own_site: Site) -> None:
    transport = own_site.transport(f"Host *\nPermitLocalCommand yes\nLocalCommand touch {own_site.folder}/%n")
    assert transport.run(command("true")).ok
    transport.close()
    assert (own_site.folder / "h").exists()


def test_a_connection_goes_both_ways_and_each_may_end_first(own_site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = own_site.transport()
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


def test_the_reason_why_a_host_cannot_connect_is_given(own_site: Site) -> None:
    transport = own_site.transport()
    with pytest.raises(UnreachableError, match=r"h1: cannot connect from this host to 127.0.0.1:1: .*refused"):
        transport.open_tcp("127.0.0.1", 1)
    transport.close()


def test_many_hosts_share_one_jump_host_and_all_at_once(own_site: Site) -> None:
    config = own_site.config("Host host*\nProxyJump gate")
    with Connections(factory=OpenSshTransports(Prompts(), SshConfigurations().settings)) as connections:
        hosts = [connections.address(SshAddress(f"host{n}", config=str(config)), f"h{n}") for n in range(20)]
        with ThreadPoolExecutor(20) as pool:
            assert all(result.ok for result in pool.map(lambda host: host.run(command("true")), hosts))
        assert own_site.logins() == 21
    assert all_ended(own_site), left_of(own_site)


def test_hosts_behind_a_lost_jump_host_are_reached_through_a_new_connection(own_site: Site) -> None:
    factory = OpenSshTransports(Prompts(), SshConfigurations().settings)
    with Connections(factory=factory) as connections:
        host = connections.address(SshAddress("h", config=str(own_site.config("Host h\nProxyJump gate"))), "h1")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(host.run, script(f"touch {own_site.folder}/started; exec sleep 60"))
            assert poll_until((own_site.folder / "started").exists, 20)
            factory.shared()[0].connected().close()
            with pytest.raises(UnreachableError, match="h1: connection lost during"):
                running.result(20)
        assert host.run(command("true")).ok
        assert own_site.logins() == 4
    assert all_ended(own_site), left_of(own_site)


def test_a_jump_host_that_cannot_reach_the_host_says_why(own_site: Site) -> None:
    transport = own_site.transport("Host h\nProxyJump gate\nPort 1")
    with pytest.raises(UnreachableError) as caught:
        transport.run(command("true"))
    transport.close()
    assert "h1: cannot connect to 127.0.0.1:1 through 127.0.0.1" in caught.value.what
    assert "refused" in caught.value.why


def test_the_error_of_a_jump_host_names_the_jump_host(own_site: Site) -> None:
    transport = own_site.transport("Host h\nProxyJump gate\nHost gate\nHostName 127.0.0.2\nPort 1")
    with pytest.raises(UnreachableError, match=r"^127.0.0.2: cannot connect to 127.0.0.2:1: Connection refused"):
        transport.run(command("true"))
    transport.close()


def test_threads_that_wait_for_one_login_share_it(own_site: Site) -> None:
    transport = own_site.transport()
    threads = [threading.Thread(target=transport.run, args=(command("true"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    transport.close()
    assert own_site.logins() == 1

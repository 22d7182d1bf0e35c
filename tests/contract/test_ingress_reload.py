"""Reloads of a real HAProxy: no failed request, lost answers, rejected configurations, old workers."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from rancherctl.ingress.haproxy.process import PROGRAM
from rancherctl.ingress.haproxy.runtime import HaproxyError, Socket
from rancherctl.ingress.translate import endpoints
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.request_stream import Clients

FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]


@pytest.mark.parametrize("lost", [TimeoutError("timed out"), ConnectionResetError("reset")])
def test_a_reload_whose_answer_is_lost_causes_no_restart(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch, lost: OSError
) -> None:
    """The master re-executes itself, or is slow: the new worker answers, and a restart would cut all connections."""
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    real = Socket._exchange

    def lossy(self: Socket, data: bytes) -> bytes:
        answer = real(self, data)
        if data == b"reload\n":
            raise lost
        return answer

    monkeypatch.setattr(Socket, "_exchange", lossy)
    monkeypatch.setattr(lb_host.driver, "restart", lambda: pytest.fail("it was restarted"))
    lb_host.reload()
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_a_master_that_does_not_reload_is_restarted(lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    driver = lb_host.driver
    monkeypatch.setattr(driver, "start_limit", 0.3)
    restarted: list[int] = []

    def restart() -> None:
        restarted.append(1)
        lb_host.haproxy.restart()
        monkeypatch.setattr(driver, "start_limit", 60.0)

    def hung(self: Socket, text: str, *, allow_empty: bool = False) -> str:
        if text == "reload":
            raise HaproxyError("no answer") from TimeoutError()
        return real(self, text, allow_empty=allow_empty)

    real = Socket.send
    monkeypatch.setattr(Socket, "send", hung)
    monkeypatch.setattr(driver, "restart", restart)
    lb_host.reload()
    assert restarted == [1]
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"


def test_a_rejected_configuration_changes_nothing(lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every token is validated, so this takes a bug. HAProxy's message is reported, and what runs stays confirmed."""
    from rancherctl.ingress.haproxy import render

    first = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    monkeypatch.setattr(render, "_OWN_BACKENDS", "\nbackend no-route from base\n  nonsense\n")
    many = [fake.ingress(f"m{n}", [(f"m{n}.com", "Prefix", "/", f"s{n}:80")]) for n in range(20)]
    section = lb_host.reconcile([fake.ingress("a", FOO), *many], {"web": ["w1"]} | {f"s{n}": ["w1"] for n in range(20)})
    assert "unknown keyword 'nonsense'" in section["alarm"]
    assert section["served"] == first["served"]
    assert "error" not in section
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"
    monkeypatch.undo()
    monkeypatch.setattr(endpoints, "routable", lambda address: True)
    section = lb_host.reconcile([fake.ingress("a", FOO), *many], {"web": ["w1"]} | {f"s{n}": ["w1"] for n in range(20)})
    assert (section["alarm"], len(section["served"])) == ("", 21)


def test_no_request_fails_over_edits_and_reloads(lb_host: LoadBalancerHost) -> None:
    services = {"web": ["w1", "w2"]}
    lb_host.reconcile([fake.ingress("a", FOO)], services)
    reloads = lb_host.driver.counters.reloads
    with Clients(lb_host.haproxy) as clients:
        for turn in range(12):
            seen = clients.good
            extra = [fake.ingress(f"e{turn}", [(f"e{turn}.com", "Prefix", "/", "web:80")])]
            lb_host.reconcile(
                [fake.ingress("a", [*FOO, ("foo.bar.com", "Exact", f"/x{turn}", "web:80")]), *extra],
                {"web": [f"w{turn % 3}", f"w{(turn + 1) % 3}"]},
            )
            if turn % 2:
                lb_host.reload()
            while clients.good < seen + 40 and not clients.bad:
                clients.stopping.wait(0.01)
    assert clients.bad == []
    assert clients.good >= 480
    # On a busy machine old connections hold their slots longer, and an edit that finds none free is one more reload.
    assert lb_host.driver.counters.reloads >= reloads + 6


def test_old_workers_end_after_some_reloads(lb_host: LoadBalancerHost) -> None:
    """Each old worker has a connection that never ends; the oldest workers end anyway."""
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert lb_host.haproxy.process is not None
    children = Path(f"/proc/{lb_host.haproxy.process.pid}/task/{lb_host.haproxy.process.pid}/children")
    held = []
    for _ in range(14):
        connection = socket.create_connection(("127.0.0.1", lb_host.haproxy.port), timeout=60)
        connection.sendall(b"GET /foo HTTP/1.1\r\nHost: foo.bar.com\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        held.append(connection)
        lb_host.reload()
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert 2 <= len(children.read_text().split()) <= 10
    for connection in held:
        connection.close()


@pytest.mark.usefixtures("pods_on_loopback")
def test_an_upgraded_haproxy_is_used(tmp_path: Path) -> None:
    """Case 84: the package replaces the program's file; the master executes the new one once, and no request fails."""
    program = tmp_path / "haproxy"
    shutil.copy2(PROGRAM, program)
    host = LoadBalancerHost(fake.Haproxy(tmp_path, program))
    try:
        for _ in range(2):
            host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
            host.now += 10
        assert _running(host) == program.stat().st_ino
        reloads = host.driver.counters.reloads
        with Clients(host.haproxy) as clients:
            shutil.copy2(PROGRAM, tmp_path / "haproxy.dpkg-new")
            (tmp_path / "haproxy.dpkg-new").replace(program)
            for _ in range(3):
                host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
                host.now += 10
            clients.wait_for(20)
        assert not clients.bad
        assert host.driver.counters.reloads == reloads + 1
        assert _running(host) == program.stat().st_ino
    finally:
        host.close()


def _running(host: LoadBalancerHost) -> int:
    """The inode of the program that the worker executes."""
    return Path(f"/proc/{host.driver.info().pid}/exe").stat().st_ino

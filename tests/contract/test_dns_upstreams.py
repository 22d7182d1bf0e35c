"""Forwarding through a real named: external names, dead and lame upstreams, expired answers; and the probe."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from rancherctl.dns import named_conf
from rancherctl.dns.probe import Question, Use
from rancherctl.dns.reconcile import DnsRole
from rancherctl.dns.upstream_health import UpstreamMonitor
from rancherctl.dns.upstreams import ProbeResult
from rancherctl.errors import RancherctlError
from tests.fakes.dns_tables import World, service
from tests.fakes.dns_upstream import Upstream
from tests.fakes.named import Named
from tests.fakes.ports import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def upstreams(port: int) -> Iterator[list[Upstream]]:
    found = [Upstream(f"127.0.0.{n}", port) for n in (2, 3)]
    yield found
    for one in found:
        one.close()


@pytest.fixture
def named(tmp_path: Path, port: int, upstreams: list[Upstream]) -> Iterator[Named]:
    server = Named(tmp_path, stub_domains={})
    Path(server.config.forwarders_file).write_text(named_conf.forwarders((upstreams[0].at,)))
    server.start()
    yield server
    server.stop()


def ask(server: Named, name: str, *, tcp: bool = False) -> dns.message.Message:
    call = dns.query.tcp if tcp else dns.query.udp
    return call(dns.message.make_query(name, "A"), "127.0.0.1", port=server.config.port, timeout=60)


def values(answer: dns.message.Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)


def test_foreign_names_are_forwarded_and_cached(named: Named, upstreams: list[Upstream]) -> None:
    first = ask(named, "www.example.com")
    assert values(first) == ["192.0.2.80"]
    assert first.flags & dns.flags.RA
    asked = upstreams[0].asked
    ask(named, "other.example.com")
    assert upstreams[0].asked > asked


def test_an_expired_answer_is_not_served_while_the_upstream_answers(named: Named, upstreams: list[Upstream]) -> None:
    """A database that failed over: the first answer after the TTL is the new address."""
    assert values(ask(named, "www.example.com")) == ["192.0.2.80"]
    upstreams[0].address = "192.0.2.81"
    time.sleep(2.5)
    assert values(ask(named, "www.example.com")) == ["192.0.2.81"]


def test_an_expired_answer_is_served_while_the_upstream_is_silent(named: Named, upstreams: list[Upstream]) -> None:
    """The fresh answer may be kept for a second; one that lives for five is a stale one."""
    assert ask(named, "www.example.com").answer[0].ttl <= 1
    upstreams[0].mode = "silent"
    deadline = time.monotonic() + 120
    while (answer := ask(named, "www.example.com")).answer[0].ttl != 5:
        assert time.monotonic() < deadline
    assert values(answer) == ["192.0.2.80"]


def test_cluster_names_answer_while_upstreams_are_silent(named: Named, upstreams: list[Upstream]) -> None:
    role = DnsRole(named.config, named, probe=False)
    world = World()
    world.add(service("web", "10.43.0.5"))
    while not role.reconcile(world.snapshot())["synced"]:
        time.sleep(0.05)
    role.stop()
    upstreams[0].mode = "silent"
    waiting = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(200)]
    for number, sock in enumerate(waiting):
        sock.sendto(dns.message.make_query(f"w{number}.example.com", "A").to_wire(), ("127.0.0.1", named.config.port))
    answers = [values(ask(named, "web.default.svc.cluster.local")) for _ in range(20)]
    for sock in waiting:
        sock.close()
    assert answers == [["10.43.0.5"]] * 20


def test_changed_upstreams_need_no_restart(named: Named, upstreams: list[Upstream], port: int) -> None:
    assert values(ask(named, "a.example.com")) == ["192.0.2.80"]
    upstreams[0].mode = "lame"
    before = upstreams[1].asked
    Path(named.config.forwarders_file).write_text(named_conf.forwarders((upstreams[1].at,)))
    named.reload()
    deadline = time.monotonic() + 120
    while values(ask(named, f"n{time.monotonic_ns()}.example.com")) != ["192.0.2.80"]:
        assert time.monotonic() < deadline
    assert upstreams[1].asked > before
    assert named.starts == 1


def test_without_upstreams_foreign_names_fail_at_once(named: Named) -> None:
    Path(named.config.forwarders_file).write_text(named_conf.forwarders(()))
    named.reload()
    deadline = time.monotonic() + 120
    while ask(named, f"n{time.monotonic_ns()}.example.com").rcode() != dns.rcode.SERVFAIL:
        assert time.monotonic() < deadline


def test_a_host_whose_only_resolver_is_itself_raises_an_alarm(
    named: Named, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.53\n")
    monkeypatch.setattr("rancherctl.dns.upstream_health.RESOLV_CONF", (conf, tmp_path / "none"))
    woken = threading.Event()
    role, world = DnsRole(named.config, named), World()
    world.add(service("web", "10.43.0.5"))
    role.start(woken.set)
    try:
        assert woken.wait(60)
        while not (section := role.reconcile(world.snapshot()))["synced"]:
            time.sleep(0.05)
    finally:
        role.stop()
    assert "spec.dns.upstreams" in section["alarm"]
    assert values(ask(named, "web.default.svc.cluster.local")) == ["10.43.0.5"]


def test_a_failed_update_of_the_upstreams_does_not_delay_names(named: Named, monkeypatch: pytest.MonkeyPatch) -> None:
    later, woken = [0.0], threading.Event()
    role, world = (
        DnsRole(replace(named.config, upstreams=("127.0.0.9",)), named, clock=lambda: time.monotonic() + later[0]),
        World(),
    )
    world.add(service("web", "10.43.0.5"))

    def fail() -> None:
        raise RancherctlError("systemctl did not end")

    while not role.reconcile(world.snapshot())["synced"]:
        time.sleep(0.05)
    monkeypatch.setattr(named, "reload", fail)
    role.start(woken.set)
    try:
        assert woken.wait(60)
        world.add(service("late", "10.43.0.6"))
        assert "cannot update the upstreams: systemctl did not end" in role.reconcile(world.snapshot())["alarm"]
        assert values(ask(named, "late.default.svc.cluster.local")) == ["10.43.0.6"]
        monkeypatch.undo()
        later[0] += 60.0
        assert role.reconcile(world.snapshot())["alarm"] == ""
    finally:
        role.stop()
    assert "127.0.0.9" in Path(named.config.forwarders_file).read_text()


def test_probing_continues_after_an_unexpected_error(monkeypatch: pytest.MonkeyPatch) -> None:
    first, woken = [True], threading.Event()

    def ask_once(asked: Mapping[Use, Sequence[Question]], *, timeout: float) -> dict[Use, ProbeResult]:
        if first.pop() if first else False:
            raise ValueError("filedescriptor out of range in select()")
        return {use: ProbeResult(True) for use in asked}

    monkeypatch.setattr("rancherctl.dns.probe.probe", ask_once)
    monkeypatch.setattr("rancherctl.dns.upstream_health.INTERVAL", 0.01)
    monitor = UpstreamMonitor(("192.0.2.53",), (), woken.set)
    monitor.start()
    try:
        assert woken.wait(60)
        assert monitor.order == ("192.0.2.53",)
    finally:
        monitor.stop()


def test_idle_tcp_clients_do_not_stop_updates(named: Named) -> None:
    role = DnsRole(named.config, named, probe=False)
    world = World()
    world.add(service("web", "10.43.0.5"))
    while not role.reconcile(world.snapshot())["synced"]:
        time.sleep(0.05)
    idle = []
    for _ in range(300):
        sock = socket.socket()
        sock.settimeout(60)
        sock.connect(("127.0.0.1", named.config.port))
        idle.append(sock)
    world.add(service("late", "10.43.0.6"))
    role.reconcile(world.snapshot())
    assert values(ask(named, "late.default.svc.cluster.local")) == ["10.43.0.6"]
    assert values(ask(named, "late.default.svc.cluster.local", tcp=True)) == ["10.43.0.6"]
    for sock in idle:
        sock.close()
    role.stop()

"""Listeners of a real HAProxy whose ports are taken by other programs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rancherctl.ingress.haproxy.driver import Driver
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.model import Family, Listener, http_listeners
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]


@pytest.fixture
def occupied(lb_host: LoadBalancerHost) -> Callable[[], None]:
    blocker = fake.Pod("blocker", "0.0.0.0", lb_host.haproxy.port)
    return blocker.close


def test_a_taken_port_is_reported_and_opened_when_it_is_free(
    lb_host: LoadBalancerHost, occupied: Callable[[], None]
) -> None:
    section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert section["served"] == {}
    assert "in use" in section["ports"][str(lb_host.haproxy.port)]
    assert section["alarm"] == section["ports"][str(lb_host.haproxy.port)], "which is what people are shown"
    occupied()
    section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert list(section["served"]) == ["default/a"]
    assert section["alarm"] == ""
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"


@pytest.mark.parametrize(("family", "address"), [("IPv4", "0.0.0.0"), ("IPv6", "::")])
def test_a_port_is_tested_in_the_family_of_its_listener(tmp_path: Path, family: Family, address: str) -> None:
    driver = Driver(Paths(data=str(tmp_path), run=str(tmp_path), ipv6="[::]"), user="no-such-user")
    with socket.socket(socket.AF_INET6 if family == "IPv6" else socket.AF_INET, socket.SOCK_STREAM) as other:
        if family == "IPv6":
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind((address, 0))
        other.listen(1)
        both = http_listeners(other.getsockname()[1], ["IPv4", "IPv6"])
        assert {x.family: "in use" in driver.listener_error(x) for x in both} == {
            "IPv4": family == "IPv4",
            "IPv6": family == "IPv6",
        }
    assert [driver.listener_error(x) for x in both] == ["", ""]


def test_a_busy_port_takes_down_only_its_own_listener(lb_host: LoadBalancerHost) -> None:
    """The other port answers, but the host confirms no Ingress: its address must lead clients to complete hosts."""
    other = fake.free_port()
    listeners = (*lb_host.haproxy.listeners, *http_listeners(other, ["IPv4"]))
    blocker = fake.Pod("blocker", "0.0.0.0", other)
    lb_host.new_role(listeners)
    section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert section["served"] == {}
    assert section["placed"] == ["default/a"]
    assert section["ports"] == {str(lb_host.haproxy.port): "", str(other): f"port {other}: Address already in use"}
    assert "error" not in section
    blocker.close()
    section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w2"]})
    assert list(section["served"]) == ["default/a"]
    for port in (lb_host.haproxy.port, other):
        lb_host.haproxy.port = port
        assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w2"


def test_a_port_that_is_taken_while_haproxy_is_down_leaves_the_other_listeners_serving(
    lb_host: LoadBalancerHost,
) -> None:
    other = fake.free_port()
    lb_host.new_role((*lb_host.haproxy.listeners, *http_listeners(other, ["IPv4"])))
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    lb_host.haproxy.stop()
    ended = threading.Event()  # a killed worker holds its ports for a moment longer than the master
    listener = Listener("IPv4", other)
    assert any(not lb_host.driver.listener_error(listener) or ended.wait(0.02) for _ in range(3000))
    blocker = fake.Pod("blocker", "0.0.0.0", other)
    lb_host.now += 10
    section = lb_host.role.reconcile(fake.Snapshot())
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"
    assert (section["served"], section["placed"]) == ({}, ["default/a"])
    blocker.close()
    assert list(lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})["served"]) == ["default/a"]


def test_a_port_that_is_taken_while_haproxy_is_down_is_the_reported_reason(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a boot when another program was first."""
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    lb_host.haproxy.stop()
    ended = threading.Event()  # a killed worker holds its port for a moment longer than the master
    assert any(not lb_host.driver.listener_error(lb_host.haproxy.listeners[0]) or ended.wait(0.02) for _ in range(3000))
    blocker = fake.Pod("blocker", "0.0.0.0", lb_host.haproxy.port)
    monkeypatch.setattr(lb_host.driver, "start_limit", 0.2)
    lb_host.now += 10
    section = lb_host.role.reconcile(fake.Snapshot())
    assert section["served"] == {}
    assert section["error"] == f"port {lb_host.haproxy.port}: Address already in use"
    blocker.close()
    monkeypatch.undo()
    assert list(lb_host.role.reconcile(fake.Snapshot())["served"]) == ["default/a"]
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w1"

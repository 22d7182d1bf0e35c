"""Reverse names: the server answers those of endpoints in any network; all others come from the upstream."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.rcode
import pytest

from rancherctl.dns import named_conf, names
from rancherctl.dns.reconcile import DnsRole
from tests.fakes.dns_queries import addresses, ask, settle, soon, values
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, service
from tests.fakes.dns_upstream import Upstream
from tests.fakes.named import Named, without_policy
from tests.fakes.ports import free_port

POLICY_FILE = "reverse.rpz.zone"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    found = Upstream("127.0.0.2", free_port())
    yield found
    found.close()


@pytest.fixture
def named(tmp_path: Path, upstream: Upstream) -> Iterator[Named]:
    server = Named(tmp_path)
    Path(server.config.forwarders_file).write_text(named_conf.forwarders((upstream.at,)))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def world() -> World:
    """Endpoints inside and outside the networks of the environment."""
    world = World()
    world.add(
        service("exporter", "None"),
        endpoint_slice("exporter", [endpoint("192.0.2.7"), endpoint("192.0.2.9", hostname="h9")]),
        endpoint_slice("exporter", [endpoint("2001:db8::7")], name="exporter-v6", kind="IPv6"),
        service("agent", "None"),
        endpoint_slice("agent", [endpoint("192.0.2.7")]),
        service("web", "10.43.5.1"),
        endpoint_slice("web", [endpoint("10.42.1.7"), endpoint("10.42.1.8", ready=False), endpoint("192.0.2.11")]),
    )
    return world


def reverse(server: Named, address: str) -> list[str]:
    return addresses(server, names.reverse(address), "PTR")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", ["192-0-2-7.agent.default.svc", "192-0-2-7.exporter.default.svc"]),
        ("192.0.2.9", ["h9.exporter.default.svc"]),
        ("2001:db8::7", ["2001-db8--7.exporter.default.svc"]),
        ("192.0.2.11", ["192-0-2-11.web.default.svc"]),
        ("10.42.1.7", ["10-42-1-7.web.default.svc"]),
    ],
)
def test_an_endpoint_has_its_reverse_name_in_any_network(
    named: Named, role: DnsRole, world: World, upstream: Upstream, address: str, expected: list[str]
) -> None:
    settle(role, world.snapshot())
    _until(named, address, [f"{name}.cluster.local." for name in expected])
    upstream.names.clear()
    assert reverse(named, address) == [f"{name}.cluster.local." for name in expected]
    assert values(ask(named, names.reverse(address), "PTR", tcp=True)) == [
        f"{name}.cluster.local." for name in expected
    ]
    assert upstream.names == []


@pytest.mark.parametrize("address", ["192.0.2.8", "192.0.2.70", "2001:db8::8", "8.8.8.8"])
def test_any_other_reverse_name_comes_from_the_upstream(
    named: Named, role: DnsRole, world: World, upstream: Upstream, address: str
) -> None:
    settle(role, world.snapshot())
    assert reverse(named, address) == ["outside.example."]
    assert upstream.names == [names.reverse(address)]


def test_a_dashed_name_under_a_cluster_ip_service_exists_while_its_endpoint_is_ready(
    named: Named, role: DnsRole, world: World
) -> None:
    settle(role, world.snapshot())
    assert addresses(named, "10-42-1-7.web.default.svc.cluster.local") == ["10.42.1.7"]
    for name in ("10-42-1-8.web.default.svc.cluster.local", names.reverse("10.42.1.8")):
        assert ask(named, name, "PTR").rcode() == dns.rcode.NXDOMAIN, name
    world.add(endpoint_slice("web", [endpoint("10.42.1.7", ready=False), endpoint("10.42.1.8")]))
    settle(role, world.snapshot())
    assert addresses(named, "10-42-1-8.web.default.svc.cluster.local") == ["10.42.1.8"]
    assert reverse(named, "10.42.1.8") == ["10-42-1-8.web.default.svc.cluster.local."]
    for name in ("10-42-1-7.web.default.svc.cluster.local", names.reverse("10.42.1.7")):
        assert ask(named, name, "PTR").rcode() == dns.rcode.NXDOMAIN, name


def test_a_reverse_name_goes_back_to_the_upstream_when_its_endpoint_goes(
    named: Named, role: DnsRole, world: World
) -> None:
    settle(role, world.snapshot())
    _until(named, "192.0.2.9", ["h9.exporter.default.svc.cluster.local."])
    world.add(endpoint_slice("exporter", [endpoint("192.0.2.7"), endpoint("192.0.2.9", ready=False)]))
    settle(role, world.snapshot())
    _until(named, "192.0.2.9", ["outside.example."])
    _until(
        named,
        "192.0.2.7",
        ["192-0-2-7.agent.default.svc.cluster.local.", "192-0-2-7.exporter.default.svc.cluster.local."],
    )


def test_reverse_names_of_endpoints_need_no_upstream_and_survive_a_kill(
    named: Named, role: DnsRole, world: World, upstream: Upstream
) -> None:
    upstream.mode = "silent"
    settle(role, world.snapshot())
    world.add(endpoint_slice("exporter", [endpoint("192.0.2.7"), endpoint("192.0.2.21")]))
    settle(role, world.snapshot())
    _until(named, "192.0.2.21", ["192-0-2-21.exporter.default.svc.cluster.local."])
    named.kill()
    named.start()
    upstream.mode = "good"
    _until(named, "192.0.2.21", ["192-0-2-21.exporter.default.svc.cluster.local."])


def test_without_a_policy_zone_all_other_names_are_answered(
    named: Named, role: DnsRole, world: World, upstream: Upstream
) -> None:
    """A host whose files were lost, or whose agent is of an earlier release and knows nothing of this zone."""
    settle(role, world.snapshot())
    role.stop()
    named.kill()
    (named.data / POLICY_FILE).unlink()
    (named.data / f"{POLICY_FILE}.jnl").unlink(missing_ok=True)
    named.start()
    assert soon(named, "web.default.svc.cluster.local") == ["10.43.5.1"]
    assert reverse(named, "10.42.1.7") == ["10-42-1-7.web.default.svc.cluster.local."]
    assert addresses(named, "www.example.com") == ["192.0.2.80"]
    assert reverse(named, "192.0.2.8") == ["outside.example."]
    again = DnsRole(named.config, named, probe=False)
    settle(again, world.snapshot())
    again.stop()
    _until(named, "192.0.2.9", ["h9.exporter.default.svc.cluster.local."])


def _until(server: Named, address: str, expected: list[str]) -> None:
    """A new version of the policy is in use a moment after its update, and no more than one is read in a second."""
    found: list[str] = []
    for _ in range(600):
        # a query that came before the policy waits for the silent upstream; the next one does not
        with contextlib.suppress(dns.exception.Timeout):
            found = values(ask(server, names.reverse(address), "PTR", seconds=1))
        if found == expected:
            return
        time.sleep(0.1)
    raise AssertionError(found)


def test_a_server_of_release_0_1_gets_the_policy_by_a_reload_without_a_failed_query(tmp_path: Path) -> None:
    server = Named(tmp_path)
    conf = Path(server.config.etc) / "named.conf"
    current = conf.read_text()
    conf.write_text(without_policy(current))
    server.start()
    world, policy = World(), names.REVERSE_POLICY
    world.add(service("web", "10.43.5.1"), service("outside", "None"))
    world.add(endpoint_slice("outside", [endpoint("192.0.2.9")]))
    old = DnsRole(server.config, server, probe=False)
    settle(old, world.snapshot(), lambda: ask(server, "web.default.svc.cluster.local").rcode() == dns.rcode.NOERROR)
    old.stop()
    (server.data / f"{policy}zone").unlink(missing_ok=True)
    conf.write_text(current)
    rcodes, stop = set[int](), threading.Event()

    def query() -> None:
        while not stop.is_set():
            rcodes.add(ask(server, "web.default.svc.cluster.local").rcode())

    thread = threading.Thread(target=query)
    thread.start()
    try:
        server.reload()
        role = DnsRole(server.config, server, probe=False)
        settle(role, world.snapshot())
        _until(server, "192.0.2.9", ["192-0-2-9.outside.default.svc.cluster.local."])
        role.stop()
    finally:
        stop.set()
        thread.join(60)
        server.stop()
    assert rcodes == {dns.rcode.NOERROR}
    assert server.starts == 1

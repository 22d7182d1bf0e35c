"""Lists of the API that suddenly lack most names: the deletes wait for a second list."""

from __future__ import annotations

import time
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode

from rancherctl.dns.reconcile import DnsRole
from tests.fakes.dns_queries import addresses, ask, settle
from tests.fakes.dns_tables import World, service
from tests.fakes.named import Named


def test_an_empty_list_removes_nothing(named: Named, role: DnsRole, world: World) -> None:
    world.add(*(service(f"s{n}", f"10.43.1.{n}") for n in range(100)))
    settle(role, world.snapshot())
    services, slices, pods = world.services, world.slices, world.pods
    world.services, world.slices, world.pods, world.epoch = (
        {"default/kubernetes": services["default/kubernetes"]},
        {},
        {},
        2,
    )
    world.add(service("new", "10.43.9.1"))
    section = role.reconcile(world.snapshot())
    assert "until a second list agrees" in str(section["alarm"])
    assert addresses(named, "s50.default.svc.cluster.local") == ["10.43.1.50"]
    assert addresses(named, "new.default.svc.cluster.local") == ["10.43.9.1"]
    world.services, world.slices, world.pods, world.epoch = services, slices, pods, 3
    assert role.reconcile(world.snapshot())["alarm"] == ""
    assert addresses(named, "s50.default.svc.cluster.local") == ["10.43.1.50"]


def test_a_second_list_is_requested_and_believed(named: Named, world: World) -> None:
    now, asked = [0.0], list[Any]()
    role = DnsRole(named.config, named, probe=False, relist=asked.append, clock=lambda: time.monotonic() + now[0])
    world.add(*(service(f"s{n}", f"10.43.1.{n}") for n in range(100)))
    settle(role, world.snapshot())
    for n in range(100):
        del world.services[f"default/s{n}"]
    world.epoch = 2
    assert role.reconcile(world.snapshot())["alarm"]
    assert not asked
    now[0] += 61
    role.reconcile(world.snapshot())
    role.reconcile(world.snapshot())
    assert asked == [("services", "endpointslices", "pods")]
    world.epoch = 3
    assert role.reconcile(world.snapshot())["alarm"] == ""
    assert ask(named, "s50.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    role.stop()


def test_deletes_one_by_one_are_believed(named: Named, role: DnsRole, world: World) -> None:
    world.add(*(service(f"s{n}", f"10.43.1.{n}") for n in range(100)))
    settle(role, world.snapshot())
    for n in range(100):
        del world.services[f"default/s{n}"]
    assert role.reconcile(world.snapshot())["alarm"] == ""
    assert ask(named, "s50.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN

"""Which object, slice and endpoint made each record; all of it together is what agents publish."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from rancherctl.dns import names, records
from rancherctl.dns.operator.provenance import RecordSource, fixed_sources, pod_sources, service_sources
from rancherctl.dns.records import Shape
from rancherctl.dns.wanted import Wanted
from tests.fakes.dns_explanations import objects_of
from tests.fakes.dns_tables import endpoint, endpoint_slice, service

DATA = Path(__file__).resolve().parents[2] / "data/dns"
ZONES = names.all_zones("cluster.local", ("10.42.0.0/16", "10.43.0.0/16", "fd00:42::/64", "fd00:43::/112"))
SHAPE = Shape("cluster.local", frozenset(ZONES))


@pytest.mark.parametrize("case", sorted(path.parent.name for path in DATA.glob("*/objects.json")))
def test_published_sources_are_exactly_the_records_that_agents_publish(case: str) -> None:
    world = objects_of(json.loads((DATA / case / "objects.json").read_text()))
    identity = partial(records.identity_of, world.pods)
    sources: list[RecordSource] = []
    for key, one in world.services.items():
        slices = [s for s in world.slices.values() if s.service_key == key]
        sources += service_sources(one, slices, SHAPE, identity)
    for pod in world.pods.values():
        sources += pod_sources(pod, SHAPE)
    published = {(s.name, s.type, s.data) for s in sources if s.published}
    wanted = Wanted(SHAPE).update(world.services, world.slices, world.pods)
    assert published == {(names.queried(s.name), s.type, r) for s in wanted.values() if s for r in s.rdatas}


def test_each_record_names_its_endpoint_and_slice() -> None:
    own = service("db", "None", ns="shop", ports=[("pg", "TCP", 5432)])
    slices = [
        endpoint_slice(
            "db", [endpoint("10.42.1.6", hostname="db-0", pod="db-0")], ns="shop", name="db-b", ports=[("pg", "TCP", 1)]
        ),
        endpoint_slice("db", [endpoint("10.42.1.7", ready=False, pod="db-1")], ns="shop", name="db-a"),
    ]
    found = service_sources(own, slices, SHAPE, lambda pod, name: "")
    name = "db.shop.svc.cluster.local."
    made = {(s.type, s.data): (s.slice, s.endpoint, s.published) for s in found if s.name == name and s.type == "A"}
    assert made == {
        ("A", "10.42.1.6"): ("shop/db-b", "10.42.1.6 (pod db-0)", True),
        ("A", "10.42.1.7"): ("shop/db-a", "10.42.1.7 (pod db-1)", False),
    }
    assert {s.object for s in found} == {"Service shop/db"}
    assert {s.name for s in found if not s.published} == {
        name,
        f"10-42-1-7.{name}",
        "7.1.42.10.in-addr.arpa.",
    }


def test_endpoints_that_are_not_ready_are_published_if_the_service_says_so() -> None:
    own = service("db", "None", ns="shop", publishNotReadyAddresses=True)
    slices = [endpoint_slice("db", [endpoint("10.42.1.7", ready=False)], ns="shop")]
    assert all(s.published for s in service_sources(own, slices, SHAPE, lambda pod, name: ""))


def test_the_servers_own_records_belong_to_no_object() -> None:
    found = {(s.name, s.data): s.object for s in fixed_sources(SHAPE, ("169.254.20.10",))}
    assert found["dns-version.cluster.local.", '"1.1.0"'] == "the server itself"
    assert found["ns.dns.cluster.local.", "169.254.20.10"] == "the server itself"

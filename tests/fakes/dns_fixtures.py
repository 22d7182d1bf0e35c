"""The fixture of ``dns verify`` in a test's world, without an API."""

from __future__ import annotations

from rancherctl.dns.operator.fixture import Fixture
from rancherctl.kube import objects
from rancherctl.kube.client import SERVICES
from tests.fakes.dns_tables import World


def in_world(fixture: Fixture, world: World, *families: str) -> Fixture:
    """Add its objects with cluster addresses of 10.43.3.0/24, and of these families, too (``fd00:43::``)."""
    given: dict[str, tuple[str, ...]] = {}
    for number, (resource, obj) in enumerate(fixture.objects(), 1):
        obj["metadata"]["namespace"] = fixture.namespace
        if resource is not SERVICES:
            world.add(objects.endpoint_slice(obj))
            continue
        if "clusterIP" not in obj["spec"] and "type" not in obj["spec"]:
            obj["spec"]["clusterIPs"] = [f"10.43.3.{number}", *(f"{family}{number:x}" for family in families)]
        found = objects.service(obj)
        given[found.meta.name] = found.cluster_ips
        world.add(found)
    return Fixture(fixture.domain, fixture.run, given)

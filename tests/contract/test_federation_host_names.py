"""A member whose load balancer has a host name: its addresses are published, also while DNS is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rancherctl.errors import NotFoundError, UnreachableError
from rancherctl.federation.host_names import Answer, system_resolver
from tests.fakes.federation_site import FederationSite, settled, unresolved
from tests.fakes.ports import free_port
from tests.fakes.public_dns import ZONE, PublicDns

WEB = "web.default.acme.svc.acme.example"
LB = "lb.example.org"
STATUS = "federation.rancherctl.io/status"


@pytest.fixture
def site() -> Iterator[FederationSite]:
    with closing(FederationSite("m1", "m2", addresses={"m2": LB})) as found:
        found.create("web")
        yield found


def service(site: FederationSite) -> Any:
    with site.api.store.changed:
        return site.api.store.get("/api/v1/services", "default", "web")


def union(site: FederationSite) -> list[str]:
    """The addresses in the federated Service's status."""
    found = (service(site).get("status") or {}).get("loadBalancer") or {}
    return [entry.get("ip") or f"name {entry}" for entry in found.get("ingress") or ()]


def test_the_addresses_of_a_host_name_are_published_and_stay_while_dns_is_away(site: FederationSite) -> None:
    """F21: A records of what the name has, in union and public names; a restart without DNS changes nothing."""
    site.resolve = lambda name: Answer(("203.0.113.50", "192.0.2.1") if name == f"{LB}." else (), 60.0)
    wanted = ["203.0.113.1", "203.0.113.50"]
    with site.process() as process:
        site.wait("published", lambda: site.zone() == [f"{WEB} A {' '.join(wanted)}"] and settled(process))
        site.wait("in the union", lambda: union(site) == wanted)
        why = f"an address of {LB}, and not in spec.addresses of the Cluster"
        site.wait("refused", lambda: process.names.dns()["default/web"].withheld == {"192.0.2.1": why})
    site.resolve = unresolved
    with site.process() as process:
        site.wait("read", lambda: settled(process) and process.names.publisher.state().epoch == 2)
        asked = lambda: LB in process.names.dns()["default/web"].withheld
        site.wait("said", asked)
        assert process.names.dns()["default/web"].withheld[LB].startswith("not resolved: the resolver does not answer")
        assert site.zone() == [f"{WEB} A {' '.join(wanted)}"]
        assert union(site) == wanted
        said = lambda: json.loads(service(site)["metadata"]["annotations"][STATUS])["dns"]["withheld"]
        site.wait("in the status", lambda: LB in said())


def test_a_member_whose_name_was_never_resolved_holds_nothing_for_the_others(site: FederationSite) -> None:
    with site.process() as process:
        site.wait("published", lambda: site.zone() == [f"{WEB} A 203.0.113.1"] and settled(process))
        site.wait("said", lambda: "not resolved" in process.names.dns()["default/web"].withheld.get(LB, ""))


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicDns]:
    folder: Path = tmp_path_factory.mktemp("bind")
    server = PublicDns(folder)
    server.start()
    records = ("two 60 A 203.0.113.8", "two 60 A 203.0.113.7", "two 90 AAAA 2001:db8::7", "text 60 TXT x")
    server.edit(*(f"update add {r.replace(' ', f'.{ZONE}. ', 1)}" for r in (*records, f"alias 20 CNAME two.{ZONE}.")))
    yield server
    server.stop()


def test_the_resolver_reads_both_families_and_follows_aliases(bind: PublicDns) -> None:
    resolve = system_resolver("127.0.0.1", bind.port)
    assert resolve(f"two.{ZONE}.") == Answer(("203.0.113.7", "203.0.113.8", "2001:db8::7"), 60)
    assert resolve(f"alias.{ZONE}.").addresses == ("203.0.113.7", "203.0.113.8", "2001:db8::7")
    with pytest.raises(NotFoundError, match="does not exist"):
        resolve(f"nosuch.{ZONE}.")
    with pytest.raises(NotFoundError, match="neither A nor AAAA"):
        resolve(f"text.{ZONE}.")
    with pytest.raises(UnreachableError, match="does not answer"):
        system_resolver("127.0.0.1", free_port())(f"two.{ZONE}.")

"""What should be served: for the whole cluster, and for one host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rancherctl.ingress.model import Listener, Server
from rancherctl.ingress.role import desired
from rancherctl.ingress.role.desired import Desired, LocalHost, Previous, Tables
from rancherctl.ingress.role.draining import Serving
from rancherctl.ingress.translate.cache import TranslationCache
from tests.fakes import ingress as fake

HTTP = (Listener("IPv4", 80), Listener("IPv6", 80))
H1 = LocalHost("h1", HTTP, drain=2.0)
FOO = [("foo.com", "Prefix", "/", "web:80")]


def _tables(ingresses: Sequence[Any], **services: list[tuple[str, int]]) -> Tables:
    return Tables(
        {i.meta.key: i for i in ingresses},
        {"rancher": fake.RANCHER},
        {f"default/{name}": fake.service(name) for name in services},
        {f"default/{name}": fake.endpoint_slice(name, found) for name, found in services.items()},
    )


def _build(tables: Tables, *hosts: str, previous: Previous | None = None, now: float = 0.0) -> Desired:
    roster = fake.roster(*(hosts or ("h1",)))
    return desired.build(tables, roster, previous or Previous(()), TranslationCache(), H1, now)


def test_a_host_listens_and_serves_what_is_placed_on_it() -> None:
    found = _build(_tables([fake.ingress("a", FOO)], web=[("10.0.0.1", 8080)]))
    assert found.host.serving == Serving(frozenset({"default/a"}))
    assert found.host.model.listeners == HTTP
    assert found.host.model.servers == {"default/web:80": (Server("10.0.0.1", 8080),)}
    assert found.host.model.loaded == {"default/a": found.translated["default/a"].hash}
    assert (found.host.address, found.host.problems) == ("192.0.2.1", {})


def test_a_host_without_any_ingress_does_not_listen() -> None:
    found = _build(_tables([fake.ingress("a", FOO, class_name="nginx")]))
    assert found.host.model.listeners == ()
    assert found.host.serving.keys == frozenset()


def test_without_a_host_only_the_cluster_wide_part_is_filled_in() -> None:
    """As the controller and the command line call it."""
    ingresses = [fake.ingress("a", FOO), fake.ingress("b", FOO, created="2026-01-02T00:00:00Z")]
    roster = fake.roster("h1", "h2", "h3")
    found = desired.build(_tables(ingresses), roster, Previous(), TranslationCache(), None, 0.0)
    assert set(found.translated) == set(found.placements) == {"default/a", "default/b"}
    assert {owner for owner, _ in found.merged.owners.values()} == {"default/a"}
    assert [p.reason for p in found.merged.problems["default/b"]] == ["PathTaken"]
    assert (found.host.model.routes, found.host.serving.keys) == ((), frozenset())


def test_role_and_controller_agree_on_placement_and_owners() -> None:
    ingresses = [fake.ingress(f"i{n}", [(f"h{n % 3}.com", "Prefix", "/", "web:80")]) for n in range(9)]
    hosts = ("h1", "h2", "h3")
    role = _build(_tables(ingresses, web=[("10.0.0.1", 80)]), *hosts)
    cluster = desired.build(_tables(ingresses), fake.roster(*hosts), Previous(), TranslationCache(), None, 0.0)
    assert role.placements == cluster.placements
    assert role.merged.owners == cluster.merged.owners
    assert role.host.serving.keys == {key for key, placed in cluster.placements.items() if "h1" in placed.hosts}


def test_an_ingress_that_leaves_is_served_until_its_drain_is_over() -> None:
    """Another class, so it has no placement any more; its routes are still those of its last rules."""
    tables = _tables([fake.ingress("a", FOO, class_name="nginx")], web=[("10.0.0.1", 80)])
    leaving = Previous(("default/a",), "192.0.2.1", {"default/a": 9.0})
    found = _build(tables, previous=leaving, now=10.0)
    assert found.host.serving == Serving(frozenset({"default/a"}), {"default/a": 9.0}, 1.0)
    assert [r.host for r in found.host.model.routes] == ["foo.com"]
    assert _build(tables, previous=leaving, now=11.0).host.model.routes == ()


def test_without_a_state_the_published_ingresses_count_as_served() -> None:
    tables = _tables([fake.ingress("a", FOO, status=["192.0.2.1"], class_name="nginx")], web=[("10.0.0.1", 80)])
    assert _build(tables, previous=Previous(None)).host.serving.keys == {"default/a"}
    assert _build(tables, previous=Previous(())).host.serving.keys == frozenset()


def test_backend_problems_are_reported_for_the_ingresses_served_here_up_to_a_limit() -> None:
    many = [(f"h{n}.com", "Prefix", "/", f"missing{n}:80") for n in range(8)]
    found = _build(_tables([fake.ingress("a", many), fake.ingress("b", FOO)], web=[("10.0.0.1", 80)]))
    assert set(found.host.problems) == {"default/a"}
    assert [p.reason for p in found.host.problems["default/a"]] == ["ServiceNotFound"] * 5 + ["MoreBackends"]
    assert found.host.problems["default/a"][-1].message == "3 more backends of this ingress have problems"


def test_external_names_are_those_of_ingresses_of_the_class_and_of_those_still_served() -> None:
    ingresses = [
        fake.ingress("a", FOO),
        fake.ingress("old", [("o.com", "Prefix", "/", "gone:80")], class_name="nginx"),
        fake.ingress("foreign", [("f.com", "Prefix", "/", "other:80")], class_name="nginx"),
    ]
    services = {
        f"default/{name}": fake.service(name, type="ExternalName", externalName=f"{name}.example.com", ports=[])
        for name in ("web", "gone", "other", "unused")
    }
    tables = Tables({i.meta.key: i for i in ingresses}, {"rancher": fake.RANCHER}, services)
    names = desired.external_names(tables, ["default/old", "default/deleted"], TranslationCache())
    assert names == {"web.example.com", "gone.example.com"}

"""Statuses during an upgrade: a report of another release says nothing about the content of its host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rancherctl.ingress.model import HASH_SCHEME
from rancherctl.ingress.status.report import parse_section
from rancherctl.ingress.translate.rules import translate
from tests.fakes import ingress as fake
from tests.fakes.status_cluster import Cluster, address_of

RULES = [("foo.com", "Prefix", "/", "web:80")]
OLD_HASH = "0ld"


def _served_by_old_agents(scale: int = 2) -> tuple[Cluster, tuple[str, ...]]:
    """A cluster whose leader was just upgraded: all hosts are published and report hashes of the old release."""
    cluster = Cluster(fake.ingress("a", RULES, annotations={"scale": str(scale)}))
    cluster.confirm(*cluster.hosts())
    cluster.turn()
    cluster.old_agents.update(h.name for h in cluster.roster.hosts)
    cluster.confirm(*cluster.hosts(), content=OLD_HASH)
    cluster.turn()
    return cluster, cluster.ingresses["default/a"].status


def test_reports_of_the_old_release_from_all_hosts_empty_no_status() -> None:
    cluster, published = _served_by_old_agents()
    assert len(published) == 2
    for _ in range(10):
        assert cluster.turn(60.0) == {"default/a": published}
    assert cluster.note()["reason"] == "Served"


def test_a_host_that_the_upgrade_never_reaches_keeps_its_address() -> None:
    """`env apply` failed there: it stays with its release until the next apply."""
    cluster, published = _served_by_old_agents()
    first, second = cluster.hosts()
    cluster.old_agents.discard(first)
    cluster.confirm(first)
    assert cluster.turn(3600.0) == {"default/a": published}
    cluster.old_agents.discard(second)
    cluster.confirm(second)
    assert cluster.turn() == {"default/a": published}


def test_a_new_ingress_is_published_only_on_hosts_of_the_new_release() -> None:
    cluster, _ = _served_by_old_agents()
    new = fake.ingress("b", [("bar.com", "Prefix", "/", "web:80")], annotations={"scale": "2"})
    cluster.ingresses["default/b"] = new
    upgraded, old = cluster.hosts("default/b")
    cluster.old_agents.discard(upgraded)
    cluster.confirm(upgraded, key="default/b")
    cluster.confirm(old, key="default/b", content=OLD_HASH)
    assert cluster.turn()["default/b"] == (address_of(upgraded),)
    assert cluster.turn(60.0)["default/b"] == (address_of(upgraded),)
    note = cluster.note("default/b")
    assert (note["reason"], note["published"]) == ("Waiting", 1)
    assert note["message"] == f"1 of 2 hosts serve it; waiting for {old} (its agent runs another release)"
    cluster.old_agents.discard(old)
    cluster.confirm(old, key="default/b")
    assert len(cluster.turn()["default/b"]) == 2


def test_an_edit_in_mid_upgrade_withdraws_no_host_of_the_old_release() -> None:
    """Whether it has taken the edit cannot be seen in its hash."""
    cluster, published = _served_by_old_agents()
    changed = fake.ingress("a", [("foo.com", "Prefix", "/new", "web:80")])
    cluster.ingresses["default/a"] = replace(cluster.ingresses["default/a"], rules=changed.rules)
    cluster.turn()
    assert cluster.turn(60.0) == {"default/a": published}


def test_a_host_of_the_old_release_that_dies_is_withdrawn_and_replaced() -> None:
    cluster, _ = _served_by_old_agents()
    lost, other = cluster.hosts()
    cluster.roster = fake.roster(*(h.name for h in cluster.roster.hosts), sequence=2, dead=[lost])
    assert cluster.turn() == {"default/a": (address_of(other),)}
    (replacement,) = set(cluster.hosts()) - {other}
    cluster.old_agents.discard(replacement)
    cluster.confirm(replacement)
    assert set(cluster.turn()["default/a"]) == {address_of(other), address_of(replacement)}


@pytest.mark.parametrize("report", ["served without the Ingress", "no report"])
def test_a_host_of_the_old_release_that_no_longer_serves_the_ingress_is_withdrawn(report: str) -> None:
    cluster, _ = _served_by_old_agents()
    stopped, other = cluster.hosts()
    if report == "no report":
        del cluster.served[stopped]
    else:
        del cluster.served[stopped]["default/a"]
    assert cluster.turn() == {"default/a": (address_of(other),)}


def test_scaling_down_in_mid_upgrade_publishes_fewer() -> None:
    cluster, _ = _served_by_old_agents()
    stored = cluster.ingresses["default/a"]
    notes = {**stored.meta.annotations, "scale": "1"}
    cluster.ingresses["default/a"] = replace(stored, meta=replace(stored.meta, annotations=notes))
    assert len(cluster.turn()["default/a"]) == 1


def test_a_foreign_hash_of_the_same_release_is_an_older_content() -> None:
    cluster, published = _served_by_old_agents()
    cluster.old_agents.clear()
    assert cluster.turn() == {"default/a": published}
    assert cluster.turn(6.0) == {"default/a": ()}


def test_a_report_without_the_number_is_that_of_the_first_scheme() -> None:
    section = {"served": {"default/a": OLD_HASH}}
    assert parse_section(section).hash_scheme == 0
    assert parse_section(section | {"hash_scheme": HASH_SCHEME}).hash_scheme == HASH_SCHEME


def test_an_option_that_the_old_release_does_not_know_withdraws_no_address() -> None:
    """Release 0.1 ignores the annotation, so that its agents report another hash than the leader computes."""
    plain = fake.ingress("a", RULES, annotations={"scale": "2"})
    notes = {"scale": "2", "ingress.rancherctl.io/timeout-read": "90s"}
    cluster = Cluster(fake.ingress("a", RULES, annotations=notes))
    cluster.confirm(*cluster.hosts())
    published = cluster.turn()
    assert len(published["default/a"]) == 2
    cluster.recorded_reports = {h: {"served": {"default/a": translate(plain).hash}} for h in cluster.hosts()}
    for _ in range(3):
        assert cluster.turn(60.0) == published

"""Services that have not changed are not planned again, and the wish is the same as without that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.federation import records
from rancherctl.federation.model import FederatedService, Place, Shard, ShardAddress, Verdict
from rancherctl.federation.ownership import NameState
from rancherctl.federation.records import Context, Memo, desired
from rancherctl.federation.shard_health import healthy_addresses
from tests.fakes.dns_provider import EU_A, EU_B, SETTINGS, service, shard

PLACES = (EU_A, EU_B)
ADDRESSES = ("203.0.113.1", "203.0.113.2", "2001:db8::1")


def one(name: str, *where: int, **fields: object) -> FederatedService:
    shards = [shard(f"m{i}", ADDRESSES[i], place=PLACES[i % 2]) for i in where]
    return service(name, *shards, **fields)


def test_only_what_has_changed_is_planned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[str] = []
    real = healthy_addresses

    def spy(found: FederatedService, *rest: object) -> object:
        planned.append(found.name)
        return real(found, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(records, "healthy_addresses", spy)
    memo, context = Memo(), Context(PLACES)
    desired([one("web", 0), one("api", 1)], SETTINGS, {}, context, memo=memo)
    planned.clear()
    desired([one("web", 0), one("api", 1)], SETTINGS, {}, context, memo=memo)
    assert planned == []
    desired([one("web", 0, 1), one("api", 1)], SETTINGS, {}, context, memo=memo)
    assert planned == ["web"]
    planned.clear()
    out = {ADDRESSES[0]: Verdict(True, "down")}
    desired([one("web", 0, 1), one("api", 1)], SETTINGS, out, context, memo=memo)
    assert planned == ["web"]
    planned.clear()
    desired([one("web", 0, 1), one("api", 1)], SETTINGS, out, Context((*PLACES, Place("us"))), memo=memo)
    assert planned == ["web", "api"]


def test_what_depends_on_time_or_on_the_zone_is_planned_each_time() -> None:
    """drop-after passes without a change of the Service; a Service without healthy shards keeps what is published."""
    memo = Memo()
    late = one("web", 0, 1, offline="drop-after 60s")
    out = {ADDRESSES[0]: Verdict(True, "down", 0.0)}
    before = desired([late], SETTINGS, out, Context(PLACES, now=30.0), memo=memo)
    after = desired([late], SETTINGS, out, Context(PLACES, now=60.0), memo=memo)
    assert before.services["default/web"].published == ADDRESSES[:2]
    assert (before.next, after.services["default/web"].published) == (60.0, ADDRESSES[1:2])
    dead = service("api", Shard("m0", EU_A, (ShardAddress(ADDRESSES[0], EU_A, (80,)),), ready=False))
    empty = desired([dead], SETTINGS, {}, Context(PLACES), memo=memo)
    name = "api.default.acme.svc.acme.example."
    there = desired([one("api", 0)], SETTINGS, {}, Context(PLACES)).names
    published: dict[str, dict[str, NameState]] = {"service/default/api": {name: there[name]}}
    kept = desired([dead], SETTINGS, {}, Context(PLACES, published=lambda key: published.get(key, {})), memo=memo)
    assert (empty.names, set(kept.names)) == ({}, {name})


some_services = st.lists(
    st.builds(
        lambda name, where, hostname, offline, priority: one(
            name,
            *where,
            hostnames=(hostname,) if hostname else (),
            offline=offline,
            priority={"m0": 1} if priority else None,
            created=f"2026-11-01T00:00:0{len(name)}Z",
        ),
        st.sampled_from(("web", "api", "queue")),
        st.sets(st.integers(0, 2)),
        st.sampled_from(("", "www.acme.example")),
        st.sampled_from(("drop", "keep", "drop-after 60s")),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda found: found.name,
)
some_verdicts = st.dictionaries(
    st.sampled_from(ADDRESSES), st.builds(Verdict, st.booleans(), st.sampled_from(("", "down")), st.just(0.0))
)


@given(st.lists(st.tuples(some_services, some_verdicts, st.sampled_from((10.0, 90.0))), min_size=2, max_size=5))
def test_a_wish_with_a_memory_is_the_wish_without_one(
    rounds: list[tuple[list[FederatedService], dict[str, Verdict], float]],
) -> None:
    memo = Memo()
    for found, verdicts, now in rounds:
        context = Context(PLACES, now=now)
        assert desired(found, SETTINGS, verdicts, context, memo=memo) == desired(found, SETTINGS, verdicts, context)

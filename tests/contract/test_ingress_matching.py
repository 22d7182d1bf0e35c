"""Random rules and requests: HAProxy answers as the matcher says, whichever way it came to its configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rancherctl.ingress import matcher
from rancherctl.ingress.matcher import Request, RuleTable
from rancherctl.ingress.translate import merge
from rancherctl.ingress.translate.rules import translate
from tests.fakes import h2
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

HOSTS = ["", "a.com", "b.a.com", "*.a.com", "c.b.a.com", "*.b.a.com"]
ASKED = ["a.com", "B.a.com", "x.a.com", "c.b.a.com:80", "y.b.a.com", "z.org", "com", "a.com.", ".a.com"]
PARTS = st.lists(st.sampled_from(["a", "ab", "b", "B", "%61", ""]), max_size=3)
REQUESTED = st.builds(
    lambda parts, end: "/" + "/".join(parts) + end, PARTS, st.sampled_from(["", "", "", "/", "?", "?q=/a/b", "/?x"])
)
PATHS = REQUESTED.map(lambda path: path.partition("?")[0])
PODS = ["p1", "p2", "p3"]
EMPTY = "empty"
"""A Service without endpoints."""
RULE = st.tuples(
    st.sampled_from(HOSTS),
    st.sampled_from(["Exact", "Prefix", "ImplementationSpecific"]),
    PATHS,
    st.sampled_from([*(f"{p}:80" for p in PODS), f"{EMPTY}:80", ""]),
)
INGRESS = st.tuples(st.lists(RULE, max_size=5), st.sampled_from(["", "p1:80", "p2:80"]))
CLUSTER = st.lists(INGRESS, min_size=1, max_size=4)
Drawn = list[tuple[list[tuple[str, str, str, str]], str]]
KEEP = fake.ingress("keep", [("keep.org", "Exact", "/", "p1:80")], created="2020-01-01T00:00:00Z")
"""An Ingress that always exists: without any, HAProxy would not listen."""


def _objects(drawn: Drawn) -> list[Any]:
    return [
        KEEP,
        *(
            fake.ingress(f"i{n}", rules, default=default, created=f"2026-01-0{n + 1}T00:00:00Z", version=repr(drawn))
            for n, (rules, default) in enumerate(drawn)
        ),
    ]


@dataclass
class Cluster:
    """One host that serves all Ingresses."""

    host: LoadBalancerHost

    def reconcile(self, drawn: Drawn) -> None:
        section = self.host.reconcile(_objects(drawn), {p: [p] for p in PODS} | {EMPTY: []})
        assert section["alarm"] == ""

    def forget(self) -> None:
        """Lose the state file: the next configuration is built from nothing."""
        Path(self.host.role.store.path).unlink()
        self.host.new_role()

    def check(self, drawn: Drawn, requests: list[tuple[str, str]], when: str) -> None:
        translated = {i.meta.key: translate(i) for i in _objects(drawn)}
        keys = merge.loaded(translated, [key for key, t in translated.items() if t.placeable])
        owners = merge.merge(translated).owners.values()
        bare = {host for k in keys for host in (translated[k].bare if translated[k].placeable else translated[k].hosts)}
        table = RuleTable(owners, bare)
        expected = [_expected(table, host, target) for host, target in requests]
        assert [self.host.haproxy.answer(*r) for r in requests] == expected, (when, "HTTP/1.1")
        connection = h2.cleartext(self.host.haproxy.port)
        assert [connection.get(*r).answer for r in requests] == expected, (when, "HTTP/2")
        connection.close()


def _expected(table: RuleTable, host: str, target: str) -> str:
    match = table.match(Request(host, target))
    servers: Mapping[str, int] = {f"default/{p}:80": 1 for p in PODS}
    found = matcher.answer(match, servers.get(match.route.backend.key, 0) if match.route else 0)
    return found.match.route.backend.service if found.kind == "forwarded" and found.match.route else str(found.status)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    host = LoadBalancerHost(fake.Haproxy(tmp_path_factory.mktemp("haproxy")))
    yield Cluster(host)
    host.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(CLUSTER, min_size=1, max_size=3),
    st.lists(st.tuples(st.sampled_from(ASKED), REQUESTED), min_size=6, max_size=12),
)
def test_haproxy_answers_as_the_matcher_says(
    cluster: Cluster,
    pods_on_loopback: None,
    clusters: list[Drawn],
    requests: list[tuple[str, str]],
) -> None:
    """After a random sequence of changes while it runs, after a reload, and with a configuration built from nothing."""
    for drawn in clusters:
        cluster.reconcile(drawn)
    last = clusters[-1]
    cluster.check(last, requests, "after changes at run time")
    cluster.host.reload()
    cluster.check(last, requests, "after a reload")
    cluster.forget()
    cluster.reconcile(last)
    cluster.check(last, requests, "built from nothing")

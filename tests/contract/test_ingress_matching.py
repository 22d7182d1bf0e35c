"""Random rules and requests: HAProxy answers as the matcher says, whichever way it came to its configuration."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress import matcher
from rancherctl.ingress.matcher import Request, RuleTable
from rancherctl.ingress.translate import merge
from rancherctl.ingress.translate.rules import translate
from tests.fakes import h2
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost

HOSTS = ["", "a.com", "b.a.com", "*.a.com", "c.b.a.com", "*.b.a.com"]
ASKED = ["a.com", "www.a.com", "B.a.com", "www.b.a.com", "x.a.com", "c.b.a.com:80", "y.b.a.com", "z.org", "com"]
ASKED += ["a.com.", ".a.com"]
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
OPTIONS = st.sampled_from(
    [
        {},
        {},
        {"body-size": "10m"},
        {"redirect": "https://new.org/x", "redirect-code": "308"},
        {"app-root": "/a", "allow-source": "127.0.0.2"},
        {"www-redirect": "from-www"},
        {"www-redirect": "from-www", "deny-source": "127.0.0.2", "aliases": "z.org, *.a.com"},
        {"allow-source": "127.0.0.x"},
        {"aliases": "com b.a.com"},
    ]
)
INGRESS = st.tuples(st.lists(RULE, max_size=5), st.sampled_from(["", "p1:80", "p2:80"]), OPTIONS)
CLUSTER = st.lists(INGRESS, min_size=1, max_size=4)
Drawn = list[tuple[list[tuple[str, str, str, str]], str, dict[str, str]]]
REQUEST = st.builds(
    Request, st.sampled_from(ASKED), REQUESTED, st.just("GET"), st.sampled_from(["127.0.0.1", "127.0.0.2"])
)
KEEP = fake.ingress("keep", [("keep.org", "Exact", "/", "p1:80")], created="2020-01-01T00:00:00Z")
"""An Ingress that always exists: without any, HAProxy would not listen."""


def _objects(drawn: Drawn) -> list[Any]:
    return [
        KEEP,
        *(
            fake.ingress(
                f"i{n}",
                rules,
                default=default,
                annotations={INGRESS_PREFIX + name: text for name, text in options.items()},
                created=f"2026-01-0{n + 1}T00:00:00Z",
                version=repr(drawn),
            )
            for n, (rules, default, options) in enumerate(drawn)
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

    def check(self, drawn: Drawn, requests: list[Request], when: str) -> None:
        translated = {i.meta.key: translate(i) for i in _objects(drawn)}
        keys = merge.loaded(translated, [key for key, t in translated.items() if t.placeable])
        owners = merge.merge(translated).owners.values()
        bare = {host for k in keys for host in (translated[k].bare if translated[k].placeable else translated[k].hosts)}
        table = RuleTable(owners, bare)
        expected = [_expected(table, request) for request in requests]
        port = self.host.haproxy.port
        assert [_over_http1(port, request) for request in requests] == expected, (when, "HTTP/1.1")
        assert [_over_http2(port, request) for request in requests] == expected, (when, "HTTP/2")


def _expected(table: RuleTable, request: Request) -> tuple[str, str]:
    """Name of the pod or status, and where a redirect leads."""
    match = table.match(request)
    service = match.route.backend.service if match.route else ""
    found = matcher.answer(request, match, int(service in PODS))
    return (service if found.kind == "forwarded" else str(found.status)), found.location


def _over_http1(port: int, request: Request) -> tuple[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(request.source, 0))
    try:
        connection.request("GET", request.target, headers={"Host": request.host})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    answer = json.loads(body)["pod"] if response.status == 200 else str(response.status)
    return answer, response.getheader("Location", "")


def _over_http2(port: int, request: Request) -> tuple[str, str]:
    connection = h2.cleartext(port, request.source)
    try:
        response = connection.get(request.host, request.target)
    finally:
        connection.close()
    return response.answer, response.headers.get("location", "")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    host = LoadBalancerHost(fake.Haproxy(tmp_path_factory.mktemp("haproxy")))
    yield Cluster(host)
    host.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(CLUSTER, min_size=1, max_size=3),
    st.lists(REQUEST, min_size=6, max_size=12),
)
def test_haproxy_answers_as_the_matcher_says(
    cluster: Cluster,
    pods_on_loopback: None,
    clusters: list[Drawn],
    requests: list[Request],
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

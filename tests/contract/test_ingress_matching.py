"""Random rules and requests: HAProxy answers like a slow reference written straight from the Ingress specification."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rancherctl.ingress.model import Route
from rancherctl.ingress.role.reconcile import LbConfig, LbRole
from rancherctl.ingress.translate import endpoints, merge
from rancherctl.ingress.translate.rules import translate
from tests.fakes import ingress as fake

HOSTS = ["", "a.com", "b.a.com", "*.a.com", "c.b.a.com", "*.b.a.com"]
ASKED = ["a.com", "B.a.com", "x.a.com", "c.b.a.com:80", "y.b.a.com", "z.org", "com"]
PARTS = st.lists(st.sampled_from(["a", "ab", "b", "B"]), max_size=3)
PATHS = st.builds(lambda parts, slash: "/" + "/".join(parts) + ("/" if slash and parts else ""), PARTS, st.booleans())
PODS = ["p1", "p2", "p3"]
RULE = st.tuples(
    st.sampled_from(HOSTS),
    st.sampled_from(["Exact", "Prefix", "ImplementationSpecific"]),
    PATHS,
    st.sampled_from([f"{p}:80" for p in PODS]),
)
INGRESS = st.tuples(st.lists(RULE, max_size=5), st.sampled_from(["", "p1:80", "p2:80"]))


def _matches(route: Route, path: str) -> bool:
    if route.kind == "exact":
        return path == route.path
    wanted, have = [e for e in route.path.split("/") if e], path.split("/")[1:]
    return route.kind == "prefix" and have[: len(wanted)] == wanted


def reference(routes: list[Route], host: str, path: str) -> str:
    """The specification, one sentence at a time."""
    name = host.split(":", maxsplit=1)[0].lower()
    precise = [r for r in routes if r.host == name]
    wildcard = [r for r in routes if r.host.startswith("*.") and name.partition(".")[2] == r.host[2:]]
    tier = precise or wildcard or [r for r in routes if r.host == "*"]
    found = [r for r in tier if _matches(r, path)]
    if found:
        best = max(found, key=lambda r: (len([e for e in r.path.split("/") if e]), r.kind == "exact"))
        exact = [r for r in found if r.kind == "exact"]
        return (exact or [best])[0].backend.service
    own = [r for r in tier if r.kind == "default" and r.host != "*"]
    everything = [r for r in routes if r.kind == "default" and r.host == "*"]
    return (own or everything)[0].backend.service if own or everything else "404"


@pytest.fixture(scope="module")
def load_balancer(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[fake.Haproxy, LbRole, dict[str, fake.Pod]]]:
    haproxy = fake.Haproxy(tmp_path_factory.mktemp("haproxy"))
    pods = {name: fake.Pod(name) for name in PODS}
    yield haproxy, LbRole(LbConfig("h1", haproxy.listeners, paths=haproxy.paths), driver=haproxy.driver()), pods
    haproxy.stop()
    for pod in pods.values():
        pod.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(INGRESS, min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from(ASKED), PATHS), min_size=4, max_size=8),
)
def test_haproxy_answers_like_the_reference(
    load_balancer: tuple[fake.Haproxy, LbRole, dict[str, fake.Pod]],
    monkeypatch: pytest.MonkeyPatch,
    drawn: list[tuple[list[tuple[str, str, str, str]], str]],
    requests: list[tuple[str, str]],
) -> None:
    monkeypatch.setattr(endpoints, "routable", lambda address: True)
    haproxy, role, pods = load_balancer
    keep = fake.ingress("keep", [("keep.org", "Exact", "/", "p1:80")], created="2020-01-01T00:00:00Z")
    made = [
        keep,
        *(
            fake.ingress(f"i{n}", rules, default=default, created=f"2026-01-0{n + 1}T00:00:00Z", version=repr(drawn))
            for n, (rules, default) in enumerate(drawn)
        ),
    ]
    section = role.reconcile(
        fake.snapshot(
            made, [fake.service(p) for p in PODS], [fake.endpoint_slice(n, [p.endpoint]) for n, p in pods.items()]
        )
    )
    assert section["alarm"] == ""
    merged = merge.merge({i.meta.key: translate(i) for i in made})
    routes = [route for _, route in merged.owners.values()]
    for host, path in requests:
        assert haproxy.answer(host, path) == reference(routes, host, path), (host, path)

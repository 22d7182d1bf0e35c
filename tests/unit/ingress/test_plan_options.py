"""Any sequence of options: each route leads to a pool with its options, and values change without a reload."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy import plan
from rancherctl.ingress.haproxy.layout import Layout, routes_of
from rancherctl.ingress.haproxy.maps import MAPS
from rancherctl.ingress.haproxy.profiles import VALUE_MAPS, profile_of, values_of
from rancherctl.ingress.model import Model, Server
from rancherctl.ingress.options import CLOSED, NO_OPTIONS, RouteOptions
from tests.unit.ingress.test_plan import FAST, H2C, HTTP, PATHS, SLOW, Replay, _route

CHOICES = (
    NO_OPTIONS,
    SLOW,
    FAST,
    H2C,
    CLOSED,
    RouteOptions(redirect="https://a.com/"),
    RouteOptions(redirect="//b.com", redirect_code=308),
    RouteOptions(target="only-local"),
)
SITES = st.dictionaries(
    st.sampled_from(["a.com", "b.com", "c.com", "d.com", "e.com"]),
    st.tuples(st.sampled_from("ab"), st.sampled_from(CHOICES)),
)


@given(st.lists(SITES, min_size=2, max_size=6))
def test_any_sequence_of_options_leads_each_route_to_a_pool_with_its_options_values_and_servers(
    turns: list[dict[str, tuple[str, RouteOptions]]],
) -> None:
    servers = {
        "ns/a:80": (Server("10.0.0.1", 1), Server("10.0.0.2", 1)),
        "ns/b:80": (Server("10.0.0.1", 2),),
        "ns/a:80#only-local": (Server("10.0.0.1", 1),),
    }
    now: Layout | None = None
    for sites in turns:
        routes = tuple(replace(_route(host, "/", service), options=o) for host, (service, o) in sites.items())
        model = Model(HTTP, routes, servers)
        decision = plan.plan(now, model, PATHS)
        if isinstance(decision, plan.Runtime) and now is not None:
            replay = Replay(now)
            for command in decision.commands:
                replay.take(command.text)
            assert replay.maps == {PATHS.map(n): dict(decision.layout.maps[n]) for n in MAPS}
        if now is not None and {o for _, o in sites.values()} <= {NO_OPTIONS, SLOW, FAST, CLOSED}:
            assert not isinstance(decision, plan.Reload), "values need no reload"
        now = decision.layout
        pools = {p.name: p for p in now.pools}
        for route in routes:
            name = now.maps["prefix"][f"{route.host}/"]
            if route.options.closed:
                assert name == "closed"
                continue
            pool = pools[name]
            assert (pool.backend, pool.options, pool.profile) == (
                route.backend.key,
                route.options,
                profile_of(route.options),
            )
            assert pool.servers == frozenset(model.servers_of(route))
            values = {n: now.maps[n][name] for n in VALUE_MAPS if name in now.maps[n]}
            assert values == values_of(route.options)
        assert {name for n in VALUE_MAPS for name in now.maps[n]} <= {p.name for p in now.pools if p.key}
        assert isinstance(plan.plan(now, model, PATHS), plan.Unchanged)
        assert Layout.from_json(now.to_json(), ["IPv4"]) == now
        assert isinstance(plan.plan(now, replace(model, routes=tuple(routes_of(now))), PATHS), plan.Unchanged)

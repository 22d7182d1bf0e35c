"""What a running HAProxy does of a model while the rest waits for a reload: planned without HAProxy."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy import layout, plan, postponed, render
from rancherctl.ingress.model import BackendRef, Listener, Model, Route, Server
from rancherctl.ingress.options import NO_OPTIONS, RouteOptions

HTTP = (Listener("IPv4", 80),)
PATHS = render.Paths(data="/d", run="/r")
HOSTS = [f"h{n}.com" for n in range(6)]
OPTIONS = [
    NO_OPTIONS,
    RouteOptions(read_timeout=1000),
    RouteOptions(read_timeout=2000),
    RouteOptions(protocol="h2c"),
    RouteOptions(protocol="h2c", read_timeout=1000),
    RouteOptions(balance="source"),
    RouteOptions(sticky=True, sticky_key="k"),
    RouteOptions(redirect="https://a.org/"),
]
SERVERS = st.lists(st.integers(1, 20), max_size=12, unique=True)
MODELS = st.tuples(
    st.dictionaries(st.sampled_from(HOSTS), st.tuples(st.sampled_from("abc"), st.sampled_from(OPTIONS))),
    st.fixed_dictionaries(dict.fromkeys("abc", SERVERS)),
)
Drawn = tuple[dict[str, tuple[str, RouteOptions]], dict[str, list[int]]]


def made(drawn: Drawn) -> Model:
    """An Ingress for each host name, whose hash says everything about its route."""
    rules, services = drawn
    routes = tuple(
        Route(host, "prefix", "/", BackendRef("ns", service, 80), options, f"ns/{host}")
        for host, (service, options) in sorted(rules.items())
    )
    servers = {
        f"ns/{name}:80": tuple(Server("10.0.0.1", port) for port in ports)
        for name, ports in services.items()
        if any(route.backend.service == name for route in routes)
    }
    return Model(HTTP, routes, servers, {r.ingress: f"{r.backend.key} {r.options.changed}" for r in routes})


@given(MODELS, st.lists(MODELS, min_size=1, max_size=4))
def test_it_needs_no_reload_and_nothing_is_called_loaded_that_is_not(first: Drawn, following: list[Drawn]) -> None:
    now = layout.build(made(first), None)
    for drawn in following:
        model = made(drawn)
        part = postponed.without_reload(now, model)
        assert part is not None
        decision = plan.plan(now, part, PATHS)
        assert not isinstance(decision, plan.Reload)
        before, now = now, decision.layout
        routes = {route.host: route for route in layout.routes_of(now)}
        for key, content in now.loaded.items():
            route = routes[key.removeprefix("ns/")]
            assert content == f"{route.backend.key} {route.options.changed}"
            assert content in {model.loaded[key], before.loaded.get(key)}
        assert routes.keys() <= {route.host for route in model.routes}, "removals do not wait"
        if not isinstance(plan.plan(before, model, PATHS), plan.Reload):
            assert now.loaded == model.loaded
        assert isinstance(plan.plan(now, part, PATHS), plan.Unchanged)


def test_a_listener_concerns_all_of_it() -> None:
    model = made(({"h0.com": ("a", NO_OPTIONS)}, {"a": [1], "b": [], "c": []}))
    other = replace(model, listeners=(*HTTP, Listener("IPv4", 8080, own=True)))
    assert postponed.without_reload(layout.build(model, None), other) is None

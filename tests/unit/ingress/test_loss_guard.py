"""A model that removes too much at once: detected, and reduced to its additions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy.layout import build
from rancherctl.ingress.model import BackendRef, Listener, Model, Route, Server
from rancherctl.ingress.options import TlsOptions
from rancherctl.ingress.role import loss_guard
from rancherctl.ingress.tls_model import TlsModel


def _model(count: int, *, with_servers: int) -> Model:
    refs = [BackendRef("ns", f"s{i}", 80) for i in range(count)]
    routes = tuple(Route(f"{r.service}.com", "prefix", "/", r) for r in refs)
    return Model((Listener("IPv4", 80),), routes, {r.key: (Server("10.0.0.1", 1),) for r in refs[:with_servers]}, {})


def test_a_mass_loss_is_detected_and_a_small_one_is_not() -> None:
    now = build(_model(100, with_servers=100), None)
    assert loss_guard.mass_loss(now, _model(100, with_servers=70)) == ""
    assert loss_guard.mass_loss(now, _model(100, with_servers=69)).startswith("31 of 100")
    assert loss_guard.mass_loss(now, Model()).startswith("100 of 100")
    assert loss_guard.mass_loss(build(_model(10, with_servers=10), None), Model()) == ""


def test_names_and_hosts_keep_what_is_said_about_tls() -> None:
    http1 = TlsOptions(http2=False)
    names = {"a.com": ("c1",), "b.com": ("c1", "c2")}
    tls = TlsModel(
        names, {"b.com": http1}, frozenset(names), frozenset({"a.com", "b.com"}), {"a.com": 301, "b.com": 302}
    )
    before = replace(_model(1, with_servers=1), tls=tls)
    after = replace(
        _model(0, with_servers=0), tls=TlsModel({"a.com": ("c3",)}, {}, frozenset({"a.com"}), redirects={"a.com": 307})
    )
    kept = loss_guard.without_removals(build(before, None), after).tls
    assert kept.names == {"a.com": ("c3",), "b.com": ("c1", "c2")}
    assert kept.options == {"b.com": http1}
    assert (kept.sites, kept.certified) == ({"a.com", "b.com"}, {"b.com"})
    assert kept.redirects == {"a.com": 307, "b.com": 302}


def test_a_wildcard_that_stays_excludes_the_names_that_are_kept() -> None:
    names = {"a.w.com": ("rsa1",), "b.w.com": ("rsa2",), "*.w.com": ("ec",)}
    tls = TlsModel(names, excluded={("ec", "*.w.com"): ("a.w.com", "b.w.com")})
    before = build(replace(_model(1, with_servers=1), tls=tls), None)
    less = TlsModel({name: names[name] for name in ("b.w.com", "*.w.com")}, excluded={("ec", "*.w.com"): ("b.w.com",)})
    kept = loss_guard.without_removals(before, replace(_model(0, with_servers=0), tls=less)).tls
    assert (kept.names, kept.excluded) == (names, tls.excluded)


CLAIM = st.tuples(
    st.sampled_from(["a.com", "*.a.com", "*"]),
    st.sampled_from(["exact", "prefix", "default"]),
    st.sampled_from(["/", "/x/", "/a:b/c"]),
)
REF = st.builds(BackendRef, st.just("ns"), st.sampled_from(["a", "b"]), st.just(80)) | st.just(
    BackendRef("ns", "a", 0, "http")
)


def _claimed(claims: dict[tuple[str, str, str], BackendRef]) -> Model:
    routes = {}
    for (host, kind, path), ref in claims.items():
        route = Route(host, kind, "" if kind == "default" else path, ref)  # type: ignore[arg-type]
        routes[route.claim] = route
    return Model(
        (Listener("IPv4", 80),),
        tuple(routes.values()),
        {r.backend.key: (Server("10.0.0.1", 1),) for r in routes.values()},
        {"ns/i": "h"},
    )


@given(st.dictionaries(CLAIM, REF, max_size=8), st.dictionaries(CLAIM, REF, max_size=8))
def test_without_removals_keeps_all_entries_and_adds_the_new_ones(
    before: dict[Any, BackendRef], after: dict[Any, BackendRef]
) -> None:
    now, new = build(_claimed(before), None), _claimed(after)
    backends = lambda layout: {p.name: p.backend for p in layout.pools}
    entries = lambda layout: {
        (m, k): backends(layout).get(v, v) for m, found in layout.maps.items() for k, v in found.items()
    }
    kept = build(loss_guard.without_removals(now, new), now)
    assert entries(kept) == entries(now) | entries(build(new, None))
    assert all(p.servers for p in kept.pools if p.backend)
    assert entries(build(loss_guard.without_removals(now, Model()), now)) == entries(now)

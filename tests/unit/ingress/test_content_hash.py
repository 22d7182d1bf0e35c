"""The content hash of an Ingress covers everything that is rendered for it, and stays the same in later releases."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy import render
from rancherctl.ingress.haproxy.layout import build
from rancherctl.ingress.model import HASH_SCHEME, BackendRef, Listener, Model, Route, Server, TlsName, content_hash
from rancherctl.ingress.options import (
    AS_ENVIRONMENT,
    NO_OPTIONS,
    NO_TLS_OPTIONS,
    HttpsRedirect,
    RouteOptions,
    TlsOptions,
)
from rancherctl.ingress.translate.rules import translate
from tests.fakes import ingress as fake

GOOD = ("good.com", "Prefix", "/good", "web:80")
TIMEOUT = "ingress.rancherctl.io/timeout-read"


def test_hashes_of_known_ingresses_stay_the_same() -> None:
    """A controller of another release takes another hash for unconfirmed content: change these only with HASH_SCHEME.

    The first two are those that release 0.1 wrote (tests/data/ingress/release_0.1/state.json).
    """
    shop = [
        ("shop.example.com", "Prefix", "/", "web:80"),
        ("shop.example.com", "Exact", "/admin", "api:admin"),
        ("*.example.com", "Prefix", "/a:b/c", "api:80"),
    ]
    rest = fake.ingress("rest", [("only.example.org", "Prefix", "", "")], default="none:80")
    found = {
        "shop": translate(fake.ingress("shop", shop)).hash,
        "rest": translate(rest).hash,
        "slow": translate(fake.ingress("slow", [GOOD], annotations={TIMEOUT: "90s"})).hash,
    }
    assert (HASH_SCHEME, found) == (1, {"shop": "0081eb39ff0b", "rest": "f03b8b9d119a", "slow": "c3db37197163"})


def _another(value: Any) -> Any:
    """Some other value of the same type."""
    if isinstance(value, bool):
        return not value
    return value + {int: 1, str: "x", tuple: ("x",)}[type(value)]


def test_every_field_of_a_route_and_of_its_options_changes_the_hash() -> None:
    base = Route("a.com", "prefix", "/", BackendRef("ns", "a", 80))
    other: dict[str, Any] = {
        "host": "b.com",
        "kind": "exact",
        "path": "/x",
        "backend": BackendRef("ns", "b", 80),
        "options": RouteOptions(read_timeout=1),
    }
    assert other.keys() == {f.name for f in fields(Route) if f.init} - {"ingress"}
    hashes = [content_hash("u", [replace(base, **{name: value})], ()) for name, value in other.items()]
    options = [
        replace(NO_OPTIONS, **{f.name: _another(getattr(NO_OPTIONS, f.name))}) for f in fields(RouteOptions) if f.init
    ]
    hashes += [content_hash("u", [replace(base, options=changed)], ()) for changed in options]
    hashes += [content_hash("u", [base], ()), content_hash("v", [base], ()), content_hash("u", [base], ["b.com"])]
    assert len(set(hashes)) == len(hashes)


def test_every_field_of_a_tls_name_and_of_the_tls_options_changes_the_hash() -> None:
    base = TlsName("a.com", "a.com", "ns/s")
    names = [base, *(replace(base, **{f.name: _another(getattr(base, f.name))}) for f in fields(TlsName) if f.init)]
    hashes = [content_hash("u", [], (), [name]) for name in names]
    options = [
        replace(NO_TLS_OPTIONS, **{f.name: _another(getattr(NO_TLS_OPTIONS, f.name))})
        for f in fields(TlsOptions)
        if f.init
    ]
    hashes += [content_hash("u", [], (), [base], changed) for changed in options]
    redirects = [
        replace(AS_ENVIRONMENT, **{f.name: _another(getattr(AS_ENVIRONMENT, f.name))})
        for f in fields(HttpsRedirect)
        if f.init
    ]
    hashes += [content_hash("u", [], (), [base], redirect=changed) for changed in redirects]
    assert len(set(hashes)) == len(hashes)
    assert content_hash("u", [], ()) != content_hash("u", [], (), redirect=redirects[0]), "also without tls"


RULE = st.tuples(
    st.sampled_from(["a.com", "*.a.com", ""]),
    st.sampled_from(["Prefix", "Exact"]),
    st.sampled_from(["", "/", "/x"]),
    st.sampled_from(["", "web:80", "web:http", "api:80"]),
)
INGRESS = st.builds(
    lambda rules, default, annotations: fake.ingress("a", rules, default=default, annotations=annotations),
    st.lists(RULE, max_size=3),
    st.sampled_from(["", "web:80", "api:80"]),
    st.sampled_from([{}, {TIMEOUT: "1s"}, {TIMEOUT: "2s"}, {TIMEOUT: "1000ms"}, {TIMEOUT: "5m"}, {"scale": "2"}]),
)


def _rendered(ingress: Any) -> dict[str, str]:
    """All files of a host that has only this Ingress."""
    t = translate(ingress)
    servers = {r.backend.key: (Server("10.0.0.1", 80),) for r in t.routes}
    model = Model((Listener("IPv4", 80),), t.routes, servers, {t.key: t.hash}, t.bare)
    return render.files(build(model, None), render.Paths())


@given(INGRESS, INGRESS)
def test_ingresses_that_are_rendered_differently_have_different_hashes(one: Any, other: Any) -> None:
    if _rendered(one) != _rendered(other):
        assert translate(one).hash != translate(other).hash


def test_scale_version_and_status_do_not_change_the_hash_and_a_new_uid_does() -> None:
    base = fake.ingress("a", [GOOD])
    same = fake.ingress("a", [GOOD], annotations={"scale": "5", "note": "x"}, version="9", status=["192.0.2.1"])
    assert translate(base).hash == translate(same).hash
    assert translate(fake.ingress("a", [("good.com", "Prefix", "/good", "web:81")])).hash != translate(base).hash
    assert translate(replace(base, meta=replace(base.meta, uid="another"))).hash != translate(base).hash

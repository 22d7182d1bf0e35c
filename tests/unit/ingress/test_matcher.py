"""The rules of matching, by examples: which rule answers a request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rancherctl.ingress.matcher import RuleTable
from rancherctl.ingress.model import BackendRef, PathKind, Route, http_listeners, https_listeners
from rancherctl.ingress.options import RouteOptions, TlsOptions
from rancherctl.ingress.request import Match, Request, Shown
from rancherctl.ingress.tls_model import TlsModel


def _route(host: str, kind: PathKind, path: str, service: str) -> tuple[str, Route]:
    return "ns/i", Route(host, kind, path, BackendRef("ns", service, 80))


TABLE = RuleTable(
    [
        _route("a.com", "prefix", "/", "root"),
        _route("a.com", "prefix", "/foo/", "foo"),
        _route("a.com", "prefix", "/foo/bar/", "bar"),
        _route("a.com", "exact", "/foo", "exact"),
        _route("*.a.com", "prefix", "/w/", "wild"),
        _route("*.a.com", "default", "", "own-default"),
        _route("*", "prefix", "/any/", "any"),
        _route("*", "default", "", "default"),
    ],
    bare=["bare.a.com"],
)


@pytest.mark.parametrize(
    ("host", "target", "pattern", "service"),
    [
        ("a.com", "/", "a.com", "root"),
        ("A.Com.:80", "/foo", "a.com", "exact"),
        ("a.com", "/foo?x=/foo/bar", "a.com", "exact"),
        ("a.com", "/foo/", "a.com", "foo"),
        ("a.com", "/fool", "a.com", "root"),
        ("a.com", "/foo/bar", "a.com", "bar"),
        ("a.com", "/foo//bar", "a.com", "foo"),
        ("a.com", "/Foo", "a.com", "root"),
        ("x.a.com", "/w", "*.a.com", "wild"),
        ("x.a.com", "/any", "*.a.com", "own-default"),
        ("y.x.a.com", "/w", "*", "default"),
        (".a.com", "/w", "*", "default"),
        ("bare.a.com", "/w", "bare.a.com", "default"),
        ("other", "/any/x", "*", "any"),
        ("[::1]:80", "/x", "*", "default"),
    ],
)
def test_one_rule_answers(host: str, target: str, pattern: str, service: str) -> None:
    found = TABLE.match(Request(host, target))
    assert found.route is not None
    assert (found.pattern, found.route.backend.service, found.ingress) == (pattern, service, "ns/i")


def _answer(table: RuleTable, request: Request, servers: int = 1) -> tuple[str, int]:
    found = table.answer(request, lambda _: servers)
    return found.kind, found.status


def test_a_known_name_without_a_matching_path_is_answered_with_404() -> None:
    table = RuleTable([_route("a.com", "exact", "/x", "web"), _route("*", "prefix", "/", "any")], bare=["b.com"])
    for host in ("a.com", "b.com"):
        request = Request(host, "/y")
        assert table.match(request) == Match(host)
        assert _answer(table, request) == ("no-route", 404)


def test_a_service_without_servers_is_answered_with_503_and_never_by_another_rule() -> None:
    assert _answer(TABLE, Request("a.com", "/foo/bar"), 0) == ("no-endpoint", 503)
    assert _answer(TABLE, Request("a.com", "/foo/bar"), 2) == ("forwarded", 0)


SECURE = TlsModel(
    {"a.com": ("A",), "*.a.com": ("W",), "x.w.com": ("X",)},
    sites=frozenset({"a.com", "*.a.com", "*.w.com"}),
    redirects={"a.com": 308, "*.a.com": 301},
)
SITES = [_route(host, "prefix", "/", "web") for host in ("a.com", "*.a.com", "plain.a.com", "*.w.com")]
BOTH = (*http_listeners(80, ("IPv4",)), *https_listeners(443, ("IPv4",)))


def _secure(host: str, sni: str, target: str = "/") -> Request:
    return Request(host, target, scheme="https", port=443, sni=sni)


@pytest.mark.parametrize(
    ("sni", "name", "content"),
    [
        ("a.com", "a.com", "A"),
        ("A.Com", "a.com", "A"),
        ("b.a.com", "*.a.com", "W"),
        ("c.b.a.com", None, ""),
        ("a.com.", None, ""),
        ("y.w.com", None, ""),
        ("com", None, ""),
        ("", None, ""),
    ],
)
def test_the_name_of_the_handshake_chooses_the_certificate(sni: str, name: str | None, content: str) -> None:
    """A name without one is refused, unless there is a default certificate."""
    strict = RuleTable(SITES, tls=SECURE, listeners=BOTH)
    request = _secure("a.com", sni)
    assert strict.certificate(request) == (None if name is None else Shown(name, (content,)))
    lenient = RuleTable(SITES, tls=replace(SECURE, default="D"), listeners=BOTH)
    assert lenient.certificate(request) == (Shown("", ("D",)) if name is None else Shown(name, (content,)))
    assert _answer(strict, request)[0] == ("refused" if name is None else "forwarded")


@pytest.mark.parametrize(
    ("sni", "host", "kind"),
    [
        ("a.com", "b.a.com", "forwarded"),
        ("b.a.com", "A.com.", "forwarded"),
        ("plain.a.com", "plain.a.com", "misdirected"),
        ("a.com", "plain.a.com", "misdirected"),
        ("a.com", "elsewhere.org", "misdirected"),
        ("x.w.com", "y.w.com", "forwarded"),
    ],
)
def test_a_request_is_misdirected_only_if_its_name_is_not_answered_over_tls_here(
    sni: str, host: str, kind: str
) -> None:
    assert _answer(RuleTable(SITES, tls=SECURE, listeners=BOTH), _secure(host, sni))[0] == kind


def test_an_unknown_name_of_its_own_handshake_has_no_route() -> None:
    table = RuleTable(SITES, tls=replace(SECURE, default="D"), listeners=BOTH)
    assert _answer(table, _secure("z.org", "z.org")) == ("no-route", 404)
    assert _answer(table, _secure("z.org", "")) == ("no-route", 404)
    assert _answer(table, _secure("z.org", "y.org")) == ("misdirected", 421)


def test_plain_requests_are_redirected_once_a_certificate_is_here_but_no_challenge_is() -> None:
    table = RuleTable(SITES, tls=SECURE, listeners=BOTH)
    found = table.answer(Request("B.a.com.:80", "/x?y"), lambda _: 0)
    assert (found.kind, found.status, found.location) == ("tls-redirect", 301, "https://b.a.com/x?y")
    odd = RuleTable(SITES, tls=SECURE, listeners=(*BOTH[:1], *https_listeners(8443, ("IPv4",))))
    assert odd.answer(Request("a.com", "/"), lambda _: 1).location == "https://a.com:8443/"
    for request in (
        Request("a.com", "/.well-known/acme-challenge/x"),
        Request("plain.a.com", "/"),
        Request("x.w.com", "/"),
        Request("a.com", "/", forwarded_proto="https"),
    ):
        assert _answer(table, request) == ("forwarded", 0), request
    assert _answer(table, Request("a.com", "/")) == ("tls-redirect", 308)
    assert _answer(RuleTable(SITES, tls=SECURE), Request("a.com", "/")) == ("forwarded", 0), "HTTPS is not open"
    assert _answer(table, Request("a.com", "/.well-known/acme-challenge"))[0] == "tls-redirect"


@pytest.mark.parametrize(
    ("options", "request_", "kind"),
    [
        (RouteOptions(closed=True), Request("a.com", "/"), ("closed", 503)),
        (RouteOptions(allow_source=("10.0.0.0/8",)), Request("a.com", "/", source="10.1.1.1"), ("forwarded", 0)),
        (RouteOptions(allow_source=("10.0.0.0/8",)), Request("a.com", "/", source="11.1.1.1"), ("denied", 403)),
        (RouteOptions(deny_source=("10.0.0.0/8",)), Request("a.com", "/", source="::ffff:10.0.0.1"), ("denied", 403)),
        (RouteOptions(body_size=3), Request("a.com", "/", "POST", length=3), ("forwarded", 0)),
        (RouteOptions(body_size=3), Request("a.com", "/", "POST", length=4), ("too-large", 413)),
        (RouteOptions(body_size=3), Request("a.com", "/", "POST"), ("forwarded", 0)),
        (RouteOptions(redirect="/app", redirect_code=301), Request("a.com", "/"), ("redirect", 301)),
    ],
)
def test_options_decide_before_the_service_does(
    options: RouteOptions, request_: Request, kind: tuple[str, int]
) -> None:
    table = RuleTable([("ns/i", Route("a.com", "prefix", "/", BackendRef("ns", "web", 80), options))])
    assert _answer(table, request_) == kind


def test_a_redirect_to_another_name_keeps_the_scheme_of_the_client() -> None:
    route = Route("a.com", "prefix", "/", BackendRef("ns", "web", 80), RouteOptions(redirect="//b.com"))
    table = RuleTable([("ns/i", route)], tls=TlsModel({"a.com": ("A",)}, sites=frozenset({"a.com"})), listeners=BOTH)
    for request, location in (
        (Request("a.com", "/x?y"), "http://b.com/x?y"),
        (_secure("a.com", "a.com", "/x?y"), "https://b.com/x?y"),
        (Request("a.com", "/x?y", forwarded_proto="https"), "https://b.com/x?y"),
    ):
        assert table.answer(request, lambda _: 1).location == location


def test_a_port_without_a_listener_does_not_answer() -> None:
    for request in (Request("a.com", "/", port=8080), _secure("a.com", "a.com"), Request("a.com", "/", port=443)):
        assert _answer(TABLE, request) == ("no-listener", 0)


ASKING = replace(
    SECURE,
    options={
        "a.com": TlsOptions(authority="f", verify="required"),
        "*.a.com": TlsOptions(authority="g", verify="optional"),
    },
    clients={"a.com": "1", "*.a.com": "2", "plain.a.com": "-"},
)


@pytest.mark.parametrize(
    ("client", "sni", "host", "kind"),
    [
        ("", "a.com", "a.com", "refused"),
        ("f", "a.com", "a.com", "forwarded"),
        ("g", "a.com", "a.com", "refused"),
        ("", "x.a.com", "x.a.com", "forwarded"),
        ("g", "x.a.com", "y.a.com", "forwarded"),
        ("f", "x.a.com", "x.a.com", "refused"),
        ("g", "x.a.com", "a.com", "misdirected"),
        ("f", "a.com", "x.a.com", "misdirected"),
        ("f", "x.w.com", "x.w.com", "forwarded"),
    ],
)
def test_a_handshake_and_a_request_must_agree_about_the_client(client: str, sni: str, host: str, kind: str) -> None:
    needs = {"a.com": "required|1", "*.a.com": "optional|2"}
    sites = [(i, replace(r, options=RouteOptions(client_policy=needs.get(r.host, "")))) for i, r in SITES]
    table = RuleTable(sites, tls=ASKING, listeners=BOTH)
    assert _answer(table, replace(_secure(host, sni), client=client))[0] == kind


def test_a_route_needs_its_own_proof_also_on_a_connection_of_its_name() -> None:
    """Another Ingress owns the name, and asks for other certificates or for none."""
    route = Route("a.com", "prefix", "/", BackendRef("ns", "web", 80), RouteOptions(client_policy="required|9"))
    listed = replace(route, options=replace(route.options, deny_source=("192.0.2.0/24",)))
    unsafe = replace(ASKING, redirects={})
    table = RuleTable([("ns/i", route)], tls=unsafe, listeners=BOTH)
    assert _answer(table, replace(_secure("a.com", "a.com"), client="f")) == ("no-certificate", 403)
    assert _answer(table, Request("a.com", "/")) == ("no-certificate", 403)
    assert _answer(RuleTable([("ns/i", route)], tls=ASKING, listeners=BOTH), Request("a.com", "/")) == (
        "tls-redirect",
        308,
    )
    assert _answer(RuleTable([("ns/i", listed)], tls=unsafe), Request("a.com", "/", source="192.0.2.1")) == (
        "denied",
        403,
    )

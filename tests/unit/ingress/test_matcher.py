"""The rules of matching, by examples: which rule answers a request."""

from __future__ import annotations

import pytest

from rancherctl.ingress import matcher
from rancherctl.ingress.matcher import Match, Request, RuleTable
from rancherctl.ingress.model import BackendRef, PathKind, Route


def _route(host: str, kind: PathKind, path: str, service: str) -> tuple[str, Route]:
    return "ns/i", Route(host, kind, path, BackendRef("ns", service, 80))


REQUEST = Request("a.com", "/x?y")
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


def test_a_known_name_without_a_matching_path_is_answered_with_404() -> None:
    table = RuleTable([_route("a.com", "exact", "/x", "web"), _route("*", "prefix", "/", "any")], bare=["b.com"])
    for host in ("a.com", "b.com"):
        found = table.match(Request(host, "/y"))
        assert found == Match(host)
        assert (matcher.answer(REQUEST, found, 0).kind, matcher.answer(REQUEST, found, 0).status) == ("no-route", 404)


def test_a_service_without_servers_is_answered_with_503_and_never_by_another_rule() -> None:
    found = TABLE.match(Request("a.com", "/foo/bar"))
    assert (matcher.answer(REQUEST, found, 0).kind, matcher.answer(REQUEST, found, 0).status) == ("no-endpoint", 503)
    assert (matcher.answer(REQUEST, found, 2).kind, matcher.answer(REQUEST, found, 2).status) == ("forwarded", 0)

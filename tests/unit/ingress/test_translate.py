"""Translation: bad input becomes a message on its own Ingress, and nothing of it gets any further."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy import render
from rancherctl.ingress.haproxy.layout import build
from rancherctl.ingress.model import Listener, Model
from rancherctl.ingress.translate import merge, validate
from rancherctl.ingress.translate.rules import MAX_ROUTES, translate
from rancherctl.kube import objects
from tests.fakes import ingress as fake

GOOD = ("good.com", "Prefix", "/good", "web:80")
INJECTIONS = [
    "/a\nb",
    "/a;b",
    "/a\x00",
    "/a b",
    '/a"b',
    "/a'`",
    "/a{b}",
    "/a\\b",
    "/a%00",
    "/a%2fb",
    "/a%2e%2e/b",
    "/a%zz",
    "/../etc",
    "/a//b",
    "/./a",
    "/ünï",
    "/" + "x" * 2000,
    "no-slash",
    "/a<<b",
    "/a#b",
    "/a?b",
    "/\r\n\r\nx",
    "/$(INCLUDE)[0]",
]
HOSTS = [
    "a b.com",
    "a\nb.com",
    "a;b",
    "*",
    "*.*.com",
    "foo.*.com",
    "x" * 64 + ".com",
    "-a.com",
    "a..b",
    "a.com/x",
    "ü.com",
    "*.",
    "a_b.com",
    "%61.com",
]


@pytest.mark.parametrize("path", INJECTIONS)
def test_bad_paths_are_refused_and_the_rest_is_served(path: str) -> None:
    t = translate(fake.ingress("a", [("foo.com", "Prefix", path, "web:80"), GOOD]))
    assert [r.path for r in t.routes] == ["/good/"]
    assert [p.reason for p in t.problems] == ["InvalidPath"]
    assert "\n" not in t.problems[0].message
    assert t.problems[0].message.isascii()


@pytest.mark.parametrize("host", HOSTS)
def test_bad_hosts_are_refused_and_the_rest_is_served(host: str) -> None:
    t = translate(fake.ingress("a", [(host, "Prefix", "/", "web:80"), GOOD]))
    assert t.hosts == {"good.com"}
    assert [p.reason for p in t.problems] == ["InvalidHost"]


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_whatever_is_taken_is_one_safe_token(host: str, path: str, service: str) -> None:
    t = translate(fake.ingress("a", [(host, "Prefix", path, f"{service}:80"), (host, "Exact", path, "web:80")]))
    model = Model((Listener("IPv4", 80),), t.routes, {}, {})
    for text in render.files(build(model, None), render.Paths()).values():
        assert text.isascii()
        assert ";" not in text
    for route in t.routes:
        assert all((0x20 < ord(c) < 0x7F and c not in ";\\\"'`<>{}") or c == "'" for c in route.host + route.path)


def test_a_character_that_must_be_percent_encoded_is_reported_with_its_encoding() -> None:
    for path, code in (
        ("/é", "write it as %C3%A9"),
        ("/a b", "write it as %20"),
        ("/a;b", "not allowed in a path"),
    ):
        (problem,) = translate(fake.ingress("a", [("foo.com", "Prefix", path, "web:80"), GOOD])).problems
        assert problem.message.endswith(code)


def test_the_maximum_of_paths_is_served_and_one_more_is_reported() -> None:
    rules = [("a.com", "Exact", f"/{n}", "web:80") for n in range(MAX_ROUTES)]
    full = translate(fake.ingress("a", rules))
    assert (len(full.routes), full.problems) == (MAX_ROUTES, ())
    more = translate(fake.ingress("a", [*rules, ("a.com", "Exact", "/more", "web:80")]))
    assert len(more.routes) == MAX_ROUTES
    assert [p.reason for p in more.problems] == ["TooManyPaths"]
    again = translate(fake.ingress("a", [*rules, rules[0]]))
    assert again.problems == ()


def test_invalid_annotations_are_reported_and_the_rules_are_served() -> None:
    notes = {"scale": "abc", "io.rancher.scheduler.affinity.host_label": "no label"}
    t = translate(fake.ingress("a", [GOOD], annotations=notes, status=["192.0.2.1", "192.0.2.2"]))
    assert [p.reason for p in t.problems] == ["InvalidScale", "InvalidAffinity"]
    assert t.routes
    assert t.options.wanted == 2, "as many as it has addresses"
    assert not t.placeable


def test_resource_backends_and_missing_rules_are_reported() -> None:
    t = translate(
        objects.ingress(
            {
                "metadata": {"name": "a", "namespace": "default"},
                "spec": {
                    "rules": [
                        {
                            "host": "a.com",
                            "http": {
                                "paths": [
                                    {
                                        "pathType": "Prefix",
                                        "path": "/",
                                        "backend": {"resource": {"kind": "B", "name": "x"}},
                                    }
                                ]
                            },
                        }
                    ],
                },
            }
        )
    )
    assert [p.reason for p in t.problems] == ["ResourceBackend", "NoRoutes"]
    assert not t.placeable


def test_a_host_loads_every_rule_that_could_match_its_names() -> None:
    rules = {"precise": "a.foo.com", "wild": "*.foo.com", "other": "b.foo.com", "far": "c.org", "deep": "x.a.foo.com"}
    all_of_them = {f"default/{n}": translate(fake.ingress(n, [(h, "Prefix", "/", "web:80")])) for n, h in rules.items()}
    assert merge.loaded(all_of_them, ["default/precise"]) == {"default/precise", "default/wild"}
    assert merge.loaded(all_of_them, ["default/wild"]) == {"default/precise", "default/wild", "default/other"}
    assert merge.loaded(all_of_them, ["default/far"]) == {"default/far"}
    any_host = translate(fake.ingress("any", [("", "Prefix", "/", "web:80")]))
    assert merge.loaded(all_of_them | {any_host.key: any_host}, ["default/far"]) == {"default/far", "default/any"}
    assert len(merge.loaded(all_of_them | {any_host.key: any_host}, ["default/any"])) == 6
    assert merge.loaded(all_of_them, []) == frozenset()


@given(st.permutations(["a", "b", "c", "d"]))
def test_who_owns_a_path_does_not_depend_on_order(order: list[str]) -> None:
    made = {"a": "2026-01-02T00:00:00Z", "b": "2026-01-01T00:00:00Z", "c": "2026-01-01T00:00:00Z", "d": ""}
    all_of_them = {f"default/{n}": translate(fake.ingress(n, [GOOD], created=made[n])) for n in order}
    merged = merge.merge(all_of_them)
    assert {owner for owner, _ in merged.owners.values()} == {"default/b"}
    assert {k: v[0].reason for k, v in merged.problems.items()} == dict.fromkeys(
        ("default/a", "default/c", "default/d"), "PathTaken"
    ) | {"default/b": "PathShared"}


@given(st.from_regex(r"/[a-z]{1,5}(/[a-z]{1,5}){0,3}", fullmatch=True))
def test_good_paths_pass_unchanged(path: str) -> None:
    assert validate.path(path) == path


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/*", "use path / with pathType Prefix"),
        ("/api/*", "use path /api with pathType Prefix"),
        ("/api/.*", "use path /api with pathType Prefix"),
        ("/a/*/b", "list each path, or use pathType Prefix"),
        ("/a*/*", "list each path, or use pathType Prefix"),
    ],
)
def test_a_path_with_an_asterisk_is_a_note_with_the_path_that_was_meant(path: str, meant: str) -> None:
    found = translate(fake.ingress("a", [("a.com", "Prefix", path, "web:80")]))
    (problem,) = found.problems
    assert (problem.reason, problem.serious, len(found.routes)) == ("PathPattern", False, 1)
    assert problem.message.startswith(f"path a.com{path} matches only requests with that very path")
    assert problem.message.endswith(meant)

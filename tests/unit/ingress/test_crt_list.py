"""Lines of HAProxy's crt-list: what is added, what is deleted, and that the result is what was wanted."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy import crt_list
from rancherctl.ingress.haproxy.crt_list import CrtLine, ShownLine
from rancherctl.ingress.options import NO_TLS_OPTIONS, TlsOptions
from rancherctl.ingress.translate import wildcards

EVERY = [f"n{i}.example" for i in range(6)]
NAMES = st.dictionaries(
    st.sampled_from(EVERY),
    st.lists(st.sampled_from(["c1", "c2", "c3"]), min_size=1, max_size=2, unique=True).map(tuple),
)
HTTP1 = TlsOptions(http2=False)
OPTIONS = st.dictionaries(st.sampled_from(EVERY), st.sampled_from([HTTP1, TlsOptions(tls_min_version="1.3")]))


def pairs(lines: tuple[CrtLine, ...]) -> list[tuple[str, str, TlsOptions]]:
    return sorted(((name, line.content, line.options) for line in lines for name in line.names), key=repr)


@given(st.lists(st.tuples(NAMES, OPTIONS), min_size=1, max_size=6))
def test_a_sequence_of_changes_gives_the_names_and_options_of_the_last_one(
    steps: list[tuple[dict[str, tuple[str, ...]], dict[str, TlsOptions]]],
) -> None:
    lines: tuple[CrtLine, ...] = ()
    loaded: set[str] = set()
    for names, options in steps:
        change = crt_list.change(lines, names, options)
        assert loaded.isdisjoint(change.install)
        loaded |= set(change.install)
        assert {line.content for line in change.add} <= loaded, "a certificate is loaded before a line needs it"
        loaded -= set(change.forget)
        lines = change.lines
        assert loaded == {line.content for line in lines}
        wanted = [(name, c, options.get(name, NO_TLS_OPTIONS)) for name, every in names.items() for c in every]
        assert pairs(lines) == sorted(wanted, key=repr)
        assert [CrtLine.from_json(*json.loads(json.dumps(line.to_json()))) for line in lines] == list(lines)
        assert crt_list.change(lines, names, options) == crt_list.CrtChange(lines), "a second plan is empty"


PRECISE, WILD = ("a.w", "b.w"), ("*.w", "*.v")
KINDS = {"r1": "RSA", "r2": "RSA", "e1": "EC", "e2": "EC"}
BELOW = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=2, unique=True).map(tuple)
        for name in (*PRECISE, *WILD, "*.w:8443", "a.w:8443")
    },
)


def chosen(lines: tuple[CrtLine, ...], name: str, port: int, kinds: str) -> str:
    """The content that HAProxy shows: all lines for the name and its wildcard, and of those the preferred kind."""
    found: dict[str, str] = {}
    wild = f"*.{name.partition('.')[2]}"
    for asked in (name, wild):
        for line in lines:
            if line.port == port and asked in line.names and not (asked == wild and name in line.excluded):
                found.setdefault(KINDS[line.content], line.content)
    return next((found[kind] for kind in (kinds, "EC", "RSA") if kind in found), "")


@given(st.lists(BELOW, min_size=1, max_size=6))
def test_no_name_is_shown_a_wildcards_certificate_instead_of_its_own_not_even_in_between(
    steps: list[dict[str, tuple[str, ...]]],
) -> None:
    lines: tuple[CrtLine, ...] = ()
    before: dict[str, tuple[str, ...]] = {}
    for names in steps:
        excluded, too_many = wildcards.exclusions(names, KINDS)
        assert not too_many
        change = crt_list.change(lines, names, {}, excluded)
        moments = [lines]
        for line in change.add:
            moments.append((*moments[-1], line))
        for line in change.delete:
            moments.append(tuple(x for x in moments[-1] if x is not line))
        assert sorted(moments[-1], key=repr) == sorted(change.lines, key=repr)
        for name_id in before.keys() & names.keys() & {*PRECISE, "a.w:8443"}:
            name, _, port = name_id.partition(":")
            allowed = {*before[name_id], *names[name_id]}
            for moment in moments:
                for kind in ("RSA", "EC"):
                    assert chosen(moment, name, int(port or 0), kind) in allowed
        lines, before = change.lines, names
        assert pairs(lines) == sorted([(n.partition(":")[0], c, NO_TLS_OPTIONS) for n in names for c in names[n]])
        assert [CrtLine.from_json(*json.loads(json.dumps(line.to_json()))) for line in lines] == list(lines)
        assert crt_list.change(lines, names, {}, excluded) == crt_list.CrtChange(lines), "a second plan is empty"


def test_a_wildcard_excludes_names_without_its_kind_of_key_only() -> None:
    names = {"a.w": ("r1",), "b.w": ("e1",), "c.w": ("e1", "r1"), "x.a.w": ("r1",), "*.w": ("e2",)}
    assert wildcards.exclusions(names, KINDS) == ({("e2", "*.w"): ("a.w",)}, frozenset())
    names = {"a.w": ("r1",), "b.w": ("e1",), "c.w": ("?",), "*.w": ("e2", "r2"), "a.w:8443": ("r1",)}
    found = {("e2", "*.w"): ("a.w", "c.w"), ("r2", "*.w"): ("b.w", "c.w")}
    assert wildcards.exclusions(names, KINDS) == (found, frozenset())
    assert wildcards.exclusions({"a.w": ("e2",), "*.w": ("e2",)}, KINDS) == ({}, frozenset()), "the same certificate"


def test_the_latest_names_have_no_room_if_a_wildcard_excludes_too_many() -> None:
    names = {"*.w": ("e1",), "*.v": ("e1",)} | {f"n{i:04}.w": ("r1",) for i in range(1003)} | {"a.v": ("r1",)}
    excluded, too_many = wildcards.exclusions(names, KINDS)
    assert too_many == {"n1000.w", "n1001.w", "n1002.w"}
    assert [len(each) for each in excluded.values()] == [1000, 1]


def test_many_names_of_one_certificate_are_several_lines() -> None:
    names = {f"n{i:04}.example": ("c1",) for i in range(500)}
    change = crt_list.change((), names, {})
    assert [len(line.names) for line in change.add] == [200, 200, 100]
    assert change.install == ("c1",)
    long = crt_list.change((), {f"{'x' * 60}{i:03}.{'y' * 60}.example": ("c1",) for i in range(150)}, {})
    assert all(sum(map(len, line.names)) < 7000 for line in long.add)


def test_a_new_name_of_a_certificate_in_use_is_another_line() -> None:
    first = crt_list.change((), {"a": ("c1",)}, {})
    second = crt_list.change(first.lines, {"a": ("c1",), "b": ("c1",)}, {})
    assert (second.add, second.delete, second.install) == ((CrtLine("c1", ("b",)),), (), ())


def test_other_options_of_a_name_are_another_line_with_the_certificate_that_is_there() -> None:
    first = crt_list.change((), {"a": ("c1",), "b": ("c1",)}, {})
    second = crt_list.change(first.lines, {"a": ("c1",), "b": ("c1",)}, {"a": HTTP1})
    assert set(second.add) == {CrtLine("c1", ("a",), HTTP1), CrtLine("c1", ("b",))}
    assert (second.delete, second.install, second.forget) == (first.lines, (), ())


def test_lines_that_haproxy_prints_are_read() -> None:
    options = "[alpn http/1.1\0 ssl-min-ver TLSv1.3]"
    text = f"# /x/certificates.list\n/x/tls/a.pem:1 !*\n/x/tls/b.pem:12 {options} b.example *.w.example\n"
    assert crt_list.parse(text) == [
        (1, ShownLine("/x/tls/a.pem", (), ("!*",))),
        (12, ShownLine("/x/tls/b.pem", ("TLSv1.3", "alpn", "http/1.1", "ssl-min-ver"), ("*.w.example", "b.example"))),
    ]

"""Lines of HAProxy's crt-list: what is added, what is deleted, and that the result is what was wanted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy import crt_list
from rancherctl.ingress.haproxy.crt_list import CrtLine

NAMES = st.dictionaries(
    st.sampled_from([f"n{i}.example" for i in range(6)]),
    st.lists(st.sampled_from(["c1", "c2", "c3"]), min_size=1, max_size=2, unique=True).map(tuple),
)


def pairs(lines: tuple[CrtLine, ...]) -> list[tuple[str, str]]:
    return sorted((name, line.content) for line in lines for name in line.names)


@given(st.lists(NAMES, min_size=1, max_size=6))
def test_a_sequence_of_changes_gives_the_names_of_the_last_one(steps: list[dict[str, tuple[str, ...]]]) -> None:
    lines: tuple[CrtLine, ...] = ()
    loaded: set[str] = set()
    for names in steps:
        change = crt_list.change(lines, names)
        assert loaded.isdisjoint(change.install)
        loaded |= set(change.install)
        assert {line.content for line in change.add} <= loaded, "a certificate is loaded before a line needs it"
        loaded -= set(change.forget)
        lines = change.lines
        assert loaded == {line.content for line in lines}
        assert pairs(lines) == sorted((name, c) for name, contents in names.items() for c in contents)
        assert crt_list.change(lines, names) == crt_list.CrtChange(lines), "a second plan is empty"


def test_many_names_of_one_certificate_are_several_lines() -> None:
    names = {f"n{i:04}.example": ("c1",) for i in range(500)}
    change = crt_list.change((), names)
    assert [len(line.names) for line in change.add] == [200, 200, 100]
    assert change.install == ("c1",)
    long = crt_list.change((), {f"{'x' * 60}{i:03}.{'y' * 60}.example": ("c1",) for i in range(150)})
    assert all(sum(map(len, line.names)) < 7000 for line in long.add)


def test_a_new_name_of_a_certificate_in_use_is_another_line() -> None:
    first = crt_list.change((), {"a": ("c1",)})
    second = crt_list.change(first.lines, {"a": ("c1",), "b": ("c1",)})
    assert (second.add, second.delete, second.install) == ((CrtLine("c1", ("b",)),), (), ())


def test_lines_that_haproxy_prints_are_read() -> None:
    text = "# /x/certificates.list\n/x/tls/a.pem:1 !*\n/x/tls/b.pem:12 [alpn h2,http/1.1 ] b.example *.w.example\n"
    assert crt_list.parse(text) == [
        ("/x/tls/a.pem", 1, ("!*",)),
        ("/x/tls/b.pem", 12, ("*.w.example", "b.example")),
    ]

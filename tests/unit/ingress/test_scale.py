"""What thousands of certificates may cost: what is asked, written and computed again when one of them changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rancherctl.ingress import copies
from rancherctl.ingress.copies import Digests, certificates_digest
from rancherctl.ingress.haproxy import layout, pem_files, render
from rancherctl.ingress.haproxy.crt_list import CrtLine, change
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.role.certificates import CertificateStore
from rancherctl.ingress.translate import pem
from rancherctl.kube.snapshot import Table
from tests.fakes import tls

AUTHORITY = tls.Authority()


def folder(tmp_path: Path) -> pem_files.PemFiles:
    return pem_files.PemFiles(render.Paths(data=str(tmp_path)), lambda: -1)


def table(*copied: Any) -> Table[Any]:
    return Table({c.meta.key: c for c in copied}, synced=True, healthy=True)


def store(tmp_path: Path, asked: list[str], good: dict[str, str] | None = None) -> CertificateStore:
    def refusal(pair: pem.KeyPair) -> str:
        asked.append(pair.content)
        return ""

    return CertificateStore(folder(tmp_path), good or {}, lambda: 0.0, refusal)


def test_openssl_is_asked_once_for_each_content(tmp_path: Path) -> None:
    a, b = AUTHORITY.issue("a.com"), AUTHORITY.issue("b.com")
    asked: list[str] = []
    known = store(tmp_path, asked)
    first = known.states(table(a.copy("a"), a.copy("a", "other")))
    assert len(asked) == 1
    again = known.states(table(a.copy("a"), a.copy("a", "other"), b.copy("b")))
    assert len(asked) == 2
    assert again["default/a"] is first["default/a"], "what did not change is the same object"


def test_openssl_is_not_asked_about_what_was_good_before_a_restart(tmp_path: Path) -> None:
    a, b = AUTHORITY.issue("a.com"), AUTHORITY.issue("b.com")
    asked: list[str] = []
    good = dict(store(tmp_path, []).states(table(a.copy("a"))))
    known = store(tmp_path, asked, {"default/a": good["default/a"].content})
    states = known.states(table(a.copy("a"), b.copy("b")))
    assert states["default/a"].facts is not None
    assert asked == [states["default/b"].content]
    known.doubt()
    known.states(table(a.copy("a"), b.copy("b")))
    assert asked == [states["default/b"].content, states["default/a"].content], "HAProxy could not load all of them"


def test_only_digests_of_changed_secrets_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[object] = []

    def counted(secrets: frozenset[str], contents: dict[str, str]) -> str:
        computed.append(secrets)
        return certificates_digest(secrets, contents)

    monkeypatch.setattr(copies, "certificates_digest", counted)
    digests = Digests()
    wanted = {f"i{n}": frozenset({f"s{n}"}) for n in range(5)}
    contents = {f"s{n}": "c" for n in range(4)}
    expected = {key: certificates_digest(secrets, contents) for key, secrets in wanted.items()}
    assert digests.of(wanted, contents) == expected
    assert expected["i4"] == ""
    computed.clear()
    assert digests.of(dict(wanted), dict(contents)) == expected
    assert computed == []
    newer = {**contents, "s1": "d", "s4": "c"}
    del newer["s0"]
    assert digests.of(wanted, newer) == {key: certificates_digest(secrets, newer) for key, secrets in wanted.items()}
    assert computed == [frozenset({f"s{n}"}) for n in (0, 1, 4)] or len(computed) == 3
    assert digests.of({"i1": frozenset({"s2"})}, newer) == {"i1": certificates_digest({"s2"}, newer)}


def test_files_of_other_contents_are_removed_also_those_that_were_there_before(tmp_path: Path) -> None:
    pairs = {pair.content: pair for pair in (pem.key_pair(p.certificate, p.key) for p in _pairs(12))}
    files = folder(tmp_path)
    assert files.write(pairs, pairs.get) == frozenset()
    kept, *others = pairs
    stray = tmp_path / "tls" / "stray.pem"
    stray.write_text("x")
    files.collect({kept, others[0]})
    assert {path.stem for path in (tmp_path / "tls").iterdir()} == {kept, others[0]}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "tls").iterdir()} == {0o640}
    files.write(others[1:2], pairs.get)
    files.collect({kept, others[0]})
    assert {path.stem for path in (tmp_path / "tls").iterdir()} == {kept, others[0]}, "refused after it was written"
    files.collect(set())
    assert list((tmp_path / "tls").iterdir()) == []
    files.write([kept], pairs.get)
    assert files.read(kept) == pairs[kept]


def _pairs(number: int) -> list[tls.Pair]:
    return [AUTHORITY.issue(f"n{n}.com") for n in range(number)]


def test_what_a_change_of_lines_installs_and_forgets() -> None:
    now = (CrtLine("a", ("a.com",)), CrtLine("b", ("b.com", "c.com")))
    moved = change(now, {"a.com": ("a",), "b.com": ("b",), "c.com": ("d",)}, {})
    assert (moved.install, moved.forget) == (("d",), ())
    assert [line.content for line in moved.delete] == ["b"]
    rotated = change(now, {"a.com": ("d",), "b.com": ("b",), "c.com": ("b",)}, {})
    assert (rotated.install, rotated.forget) == (("d",), ("a",))


@pytest.mark.parametrize(("megabytes", "expected"), [(0, 8), (30, 8), (64, 8), (65, 7), (110, 4), (250, 2), (3000, 2)])
def test_old_workers_are_bounded_by_the_memory_of_one(megabytes: int, expected: int) -> None:
    assert layout.old_workers(megabytes << 20) == expected


def test_the_number_of_old_workers_is_stored_and_rendered() -> None:
    one = Layout(old_workers=3)
    assert Layout.from_json(one.to_json(), ("IPv4",)).old_workers == 3
    assert "mworker-max-reloads 3\n" in render.config(one, render.Paths())
    older = {key: value for key, value in one.to_json().items() if key != "old_workers"}
    assert Layout.from_json(older, ("IPv4",)).old_workers == 8

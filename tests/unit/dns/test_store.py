"""Zone files, saved copies and markers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.dns import zonefile
from rancherctl.dns.model import Marker
from rancherctl.dns.store import Store


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=200), st.integers(0, 400))
def test_a_kept_copy_is_whole_or_none(text: str, where: int) -> None:
    sealed = zonefile.seal(text)
    assert zonefile.unseal(sealed) == text
    assert zonefile.unseal(sealed[: min(where, len(sealed) - 66)]) is None
    changed = sealed[: where % len(text)] + "\x7f" + sealed[where % len(text) + 1 :] if text else "x"
    assert zonefile.unseal(changed) is None or changed == sealed


@pytest.mark.parametrize(
    ("one", "than", "newer"),
    [
        ("5/6/7", "5/6/6", True),
        ("10/6/7", "9/6/7", True),
        ("5/6/7", "5/6/7", False),
        ("5/6/7", "4/7/7", False),
        ("5/6/7", "5/6", False),
        ("5/6/7", "", False),
        ("", "", False),
        ("5/x/7", "4/6/7", False),
    ],
)
def test_markers_are_compared_by_resource_versions(one: str, than: str, newer: bool) -> None:
    marker = Marker("0" * 32, one)
    assert marker.newer(Marker("1" * 32, than)) is newer
    text = zonefile.render("cluster.local.", "cluster.local", [], 7, marker)
    assert zonefile.marker_of(text, "cluster.local.") == marker
    assert zonefile.marker_of(text, "other.local.") is None


def test_the_store_replaces_a_zone_and_its_journal(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    (tmp_path / "a.zone.jnl").write_text("old")
    staged = store.stage({"a.": "new\n"})
    assert (tmp_path / "a.zone.jnl").exists()
    store.commit(staged)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.zone": "new\n"}
    assert (tmp_path / "a.zone").stat().st_mode & 0o777 == 0o660


def test_the_store_keeps_copies_and_notices_damage(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert store.kept("a.") is None
    store.keep("a.", "text\n")
    assert store.kept("a.") == "text\n"
    (tmp_path / "a.zone.kept").write_text("text\n; sha256 00\n")
    assert store.kept("a.") is None
    assert store.replace(str(tmp_path / "f"), "1")
    assert not store.replace(str(tmp_path / "f"), "1")

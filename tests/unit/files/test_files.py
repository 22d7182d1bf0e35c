"""A file has its old or its new content, is never readable by others, and no temporary file remains."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rancherctl.files import atomically, replace


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_with_mode_and_missing_folders(tmp_path: Path) -> None:
    replace(tmp_path / "a" / "x", b"old")
    assert ((tmp_path / "a" / "x").read_bytes(), mode(tmp_path / "a" / "x"), mode(tmp_path / "a")) == (
        b"old",
        0o600,
        0o700,
    )
    replace(tmp_path / "a" / "x", b"new", mode=0o644)
    assert ((tmp_path / "a" / "x").read_bytes(), mode(tmp_path / "a" / "x")) == (b"new", 0o644)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x"]


def test_a_failed_write_leaves_only_the_old_file(tmp_path: Path) -> None:
    replace(tmp_path / "x", b"old")

    def full(temporary: Path) -> None:
        temporary.write_bytes(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        atomically(tmp_path / "x", full)
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_file_is_private_until_it_is_complete(tmp_path: Path) -> None:
    seen: list[int] = []

    def fill(temporary: Path) -> None:
        temporary.write_bytes(b"secret")
        seen.append(mode(temporary))

    atomically(tmp_path / "x", fill, mode=0o644)
    assert (seen, mode(tmp_path / "x")) == ([0o600], 0o644)


def test_the_content_may_be_a_file_moved_into_place(tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"program")
    atomically(tmp_path / "x", (tmp_path / "made").rename, mode=0o755)
    assert ((tmp_path / "x").read_bytes(), mode(tmp_path / "x"), (tmp_path / "made").exists()) == (
        b"program",
        0o755,
        False,
    )

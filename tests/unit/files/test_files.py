"""A file is its old content or its new one, never readable by others in between, and nothing is left behind."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from rancherctl.files import atomically, replace


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_content_mode_and_folders(tmp_path: Path) -> None:
    replace(tmp_path / "a" / "x", b"old")
    assert ((tmp_path / "a" / "x").read_bytes(), mode(tmp_path / "a" / "x"), mode(tmp_path / "a")) == (
        b"old",
        0o600,
        0o700,
    )
    replace(tmp_path / "a" / "x", b"new", mode=0o644)
    assert ((tmp_path / "a" / "x").read_bytes(), mode(tmp_path / "a" / "x")) == (b"new", 0o644)
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x"]


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    replace(tmp_path / "x", b"old")

    def full(temporary: Path) -> None:
        temporary.write_bytes(b"ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        atomically(tmp_path / "x", full)
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_it_is_private_until_it_is_whole(tmp_path: Path) -> None:
    seen: list[int] = []

    def fill(temporary: Path) -> None:
        temporary.write_bytes(b"secret")
        seen.append(mode(temporary))

    atomically(tmp_path / "x", fill, mode=0o644)
    assert (seen, mode(tmp_path / "x")) == ([0o600], 0o644)


def test_a_file_that_is_moved_in_counts_as_written(tmp_path: Path) -> None:
    (tmp_path / "made").write_bytes(b"program")
    atomically(tmp_path / "x", (tmp_path / "made").rename, mode=0o755)
    assert ((tmp_path / "x").read_bytes(), mode(tmp_path / "x"), (tmp_path / "made").exists()) == (
        b"program",
        0o755,
        False,
    )

"""Sessions of homes on one machine have names of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.credentials.user_stores import user_session
from rancherctl.settings import Dirs, dirs


def home(path: Path) -> Dirs:
    return dirs({"HOME": str(path)})


def test_two_homes_on_one_machine_have_different_sessions(tmp_path: Path) -> None:
    a, b = (user_session(home(tmp_path / name), "laptop") for name in "ab")
    assert a != b
    assert all(name.startswith("laptop-") for name in (a, b))


def test_a_home_keeps_its_session_name(tmp_path: Path) -> None:
    assert len({user_session(home(tmp_path), "laptop") for _ in range(3)}) == 1
    assert user_session(home(tmp_path), "laptop") != user_session(home(tmp_path), "desktop")


@pytest.mark.parametrize("content", [b"", b"../x\n", b"\xff\n", b"ABCDEF12\n"])
def test_a_damaged_id_is_replaced(tmp_path: Path, content: bytes) -> None:
    first = user_session(home(tmp_path), "laptop")
    (home(tmp_path).state / "session-id").write_bytes(content)
    second = user_session(home(tmp_path), "laptop")
    assert first != second == user_session(home(tmp_path), "laptop")


def test_without_a_writable_folder_there_is_a_session_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    a, b = (user_session(home(tmp_path / "file"), "Laptop.example") for _ in "ab")
    assert a != b
    assert len(a) <= 50

"""The private folder of a master: short enough for a socket's address, and in no need of quotes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rancherctl.errors import RancherctlError
from rancherctl.hosts.openssh import folder as folders


@pytest.mark.parametrize(
    ("place", "fits"),
    [
        ("/tmp", True),
        ("/run/user/1000", True),
        ("/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T", True),
        ("/" + "x" * 80, False),
        ("/tmp/50% off", False),
        ("/tmp/$HOME", False),
        ("/tmp/a b", False),
    ],
)
def test_places_whose_path_is_short_and_plain_are_suitable(place: str, fits: bool) -> None:
    assert folders.suitable(place) is fits


def test_the_users_own_place_comes_first_and_the_folder_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "LONGEST", 1000)
    made = folders.create({"TMPDIR": f"{tmp_path}/"})
    assert made.parent == tmp_path
    assert made.stat().st_mode & 0o777 == 0o700
    folders.remove(made)
    folders.remove(made)
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_programs_cannot_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/tmp may be mounted with noexec; ssh asks its questions by a program."""
    monkeypatch.setattr(folders, "LONGEST", 1000)
    monkeypatch.setattr(os, "access", lambda path, mode: tmp_path not in Path(path).parents)
    made = folders.create({"TMPDIR": str(tmp_path)})
    assert tmp_path not in made.parents
    folders.remove(made)
    assert list(tmp_path.iterdir()) == []


def test_the_error_lists_every_place_and_why_it_does_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_places", lambda environ: ["/no/such/place", "/tmp/a b"])
    with pytest.raises(RancherctlError) as caught:
        folders.create({})
    assert "/no/such/place: No such file or directory" in caught.value.why
    assert "/tmp/a b: its path is too long or has special characters" in caught.value.why

"""Data mounted below a rancherctl folder is foreign: it is never deleted through the mount."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.environments.removal import remote
from rancherctl.hosts.remote import apply, disk


def mountinfo(folder: Path, *places: str) -> Path:
    """A /proc/self/mountinfo that lists these mount points."""
    rows = [
        f"{number} 1 8:{number} / {place} rw,relatime - ext4 /dev/sda{number} rw"
        for number, place in enumerate(places, 30)
    ]
    table = folder / "mountinfo"
    table.write_text("\n".join(["21 1 8:1 / / rw - ext4 /dev/sda1 rw", *rows]) + "\n", encoding="utf-8")
    return table


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A pod's folder with a foreign file in it."""
    file = tmp_path / "data/kubelet/pods/1/volumes/shared/precious"
    file.parent.mkdir(parents=True)
    file.write_text("years of work")
    return file


def test_a_folder_with_a_mount_in_it_is_refused_as_a_whole(
    tmp_path: Path, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "data/kubelet/config"
    beside.write_text("ours")
    monkeypatch.setattr(disk, "MOUNTS", mountinfo(tmp_path, str(volume.parent)))
    with pytest.raises(disk.StepError, match=r"volumes/shared is mounted below it"):
        apply.absent({"path": str(tmp_path / "data/kubelet")})
    assert volume.read_text() == "years of work"
    assert beside.exists()


def test_a_mount_is_found_if_a_parent_is_a_link(tmp_path: Path, volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel lists mount points by their real path; /var/lib may be a link to a bigger disk."""
    (tmp_path / "var").symlink_to(tmp_path / "data")
    table = mountinfo(tmp_path, str(volume.parent))
    monkeypatch.setattr(disk, "MOUNTS", table)
    monkeypatch.setattr(remote, "MOUNTS", str(table))
    with pytest.raises(disk.StepError, match="is mounted below it"):
        apply.absent({"path": str(tmp_path / "var/kubelet")})
    assert remote.mounts((str(tmp_path / "var/kubelet"),)) == [str(volume.parent)]


@pytest.mark.parametrize("name", ["with space", "back\\slash", "grün", "tab\there"])
def test_escaped_names_of_mount_points_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    escaped = name.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
    table = mountinfo(tmp_path, f"{tmp_path}/{escaped}")
    monkeypatch.setattr(disk, "MOUNTS", table)
    monkeypatch.setattr(remote, "MOUNTS", str(table))
    assert remote.mounts((str(tmp_path),)) == [f"{tmp_path}/{name}"]
    assert disk.mounts_in(tmp_path) == [f"{tmp_path}/{name}"]


def test_a_folder_that_could_not_be_unmounted_is_not_emptied(
    tmp_path: Path, volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubelet = tmp_path / "data/kubelet"
    monkeypatch.setattr(remote, "MOUNTS", str(mountinfo(tmp_path, str(volume.parent))))
    request = {"path": str(tmp_path / "before.json"), "whole": [str(kubelet)], "maybe": [], "spare": [], "folders": []}
    with pytest.raises(
        disk.StepError, match=r"volumes/shared is still mounted below .*kubelet: nothing was deleted there"
    ):
        remote.folders(request)
    assert volume.exists()
    monkeypatch.setattr(remote, "MOUNTS", str(mountinfo(tmp_path)))
    remote.folders(request)
    assert not kubelet.exists()

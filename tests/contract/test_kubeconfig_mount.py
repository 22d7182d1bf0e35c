"""A kubeconfig file that cannot be renamed: a single file that a container runtime mounts."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rancherctl.credentials import in_place
from rancherctl.errors import LockedError, RancherctlError

MOUNTED = """
import sys
from pathlib import Path
from rancherctl.credentials.kubeconfig_files import update
print(update(Path(sys.argv[1]), lambda data: {**data, "current-context": "demo"}, lambda line: print(line)))
"""
OLD = "apiVersion: v1\nkind: Config\ncurrent-context: other\n"


def mounted(tmp_path: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Update the file ``name`` while ``outside`` is mounted on the file ``config``."""
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    argv = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"]
    if subprocess.run([*argv, str(tmp_path), str(tmp_path), "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounts need a mount namespace")
    (tmp_path / "outside").write_text(OLD)
    (tmp_path / "outside").chmod(0o640)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config").touch()
    (tmp_path / "home" / "link").symlink_to("config")
    argv += [str(tmp_path / "outside"), str(tmp_path / "home" / "config"), sys.executable, "-c", MOUNTED]
    return subprocess.run(
        [*argv, str(tmp_path / "home" / name)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", ["config", "link"])
def test_a_kubeconfig_file_that_is_a_mount_is_written_in_place(tmp_path: Path, name: str) -> None:
    done = mounted(tmp_path, name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"{tmp_path}/home/config was written in place, not replaced atomically: it is a mount point",
        "True",
    ]
    assert "current-context: demo" in (tmp_path / "outside").read_text()
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o640
    assert sorted(p.name for p in (tmp_path / "home").iterdir()) == ["config", "link"]


def test_a_write_in_place_that_fails_restores_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, sync, calls = tmp_path / "config", os.fsync, list[int]()
    target.write_text(OLD)

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 3:  # after the copy and its folder: the new content
            raise OSError(28, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        in_place.overwrite(target, b"x" * 10_000)
    assert target.read_text() == OLD
    assert [p.name for p in tmp_path.iterdir()] == ["config"]


def test_a_write_in_place_that_cannot_be_restored_names_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "config"
    target.write_text(OLD)

    def broken(_handle: int, _length: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "ftruncate", broken)
    with pytest.raises(RancherctlError) as caught:
        in_place.overwrite(target, b"new")
    assert str(tmp_path / ".config.before") in caught.value.hint
    assert (tmp_path / ".config.before").read_text() == OLD
    assert stat.S_IMODE((tmp_path / ".config.before").stat().st_mode) == 0o600


def test_a_write_in_place_does_not_wait_for_a_writer_outside_of_the_container(tmp_path: Path) -> None:
    target = tmp_path / "config"
    target.write_text(OLD)
    with target.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(LockedError):
            in_place.overwrite(target, b"new")
    assert target.read_text() == OLD

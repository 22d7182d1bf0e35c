"""Programs of the lab and builds of a root tree: nothing is left when their parent is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from rancherctl.lab.tree import APART

PARENT = "import sys; from rancherctl.lab.command import run; run(sys.argv[1:])"
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def killed_parent(pipe: Path, argv: Sequence[str]) -> Iterator[None]:
    """Run ``argv`` as the lab does, in a process that is killed after the block.

    ``argv`` opens the pipe for writing, writes a line and passes the pipe on to its children. The last of them closes
    it, so all have ended when this returns.
    """
    os.mkfifo(pipe)
    with subprocess.Popen([sys.executable, "-c", PARENT, *argv], cwd=ROOT) as parent, pipe.open() as written:
        assert written.readline() == "begun\n"
        yield
        parent.kill()
        assert written.read() == ""


def test_a_program_does_not_outlive_its_parent(tmp_path: Path) -> None:
    with killed_parent(
        tmp_path / "pipe",
        ["sh", "-c", 'exec 3>"$1" && echo begun >&3 && exec sleep 1000', "sh", str(tmp_path / "pipe")],
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="building a tree needs root")
def test_a_killed_build_leaves_neither_mounts_nor_processes(tmp_path: Path) -> None:
    """mmdebstrap mounts /sys into the tree: removing the partial tree must not reach it."""
    tree = tmp_path / "tree"
    tree.mkdir()
    script = 'mount -t tmpfs x "$1" && touch "$1/mounted" && exec 3>"$2" && { sleep 1000 & } && echo begun >&3 && wait'
    with killed_parent(tmp_path / "pipe", [*APART, "sh", "-c", script, "sh", str(tree), str(tmp_path / "pipe")]):
        assert str(tree) not in Path("/proc/mounts").read_text()
        assert list(tree.iterdir()) == []


def test_the_error_of_a_failed_program_has_its_status_and_message() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT, "sh", "-c", "echo why >&2; exit 3"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != -signal.SIGKILL
    assert "sh failed with status 3: why" in done.stderr

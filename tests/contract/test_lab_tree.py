"""Building a root tree, as far as it shows without a mirror: what a killed build leaves on the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rancherctl.lab.tree import APART

BUILDER = """
import subprocess, sys
from rancherctl.lab.tree import APART
script = 'mount -t tmpfs x "$1" && touch "$1/mounted" && { sleep 1000 & } && echo mounted && wait'
subprocess.run([*APART, "sh", "-c", script, "sh", sys.argv[1]])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as building a tree does")
def test_a_killed_build_leaves_neither_mounts_nor_processes(tmp_path: Path) -> None:
    """mmdebstrap mounts /sys into the tree: who removes the half tree must not walk into it."""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", BUILDER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == "mounted\n"
        assert str(tmp_path) not in Path("/proc/mounts").read_text()
        assert list(tmp_path.iterdir()) == []
        builder.kill()
        assert builder.stdout.read() == "", "the last one that has the pipe is gone"
    assert APART[-1] == "--kill-child"

"""The command line of an earlier release, from this repository's history."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.lab.support import BIN, ROOT, Environment

RELEASE_0_1 = "bd1e011e1a7f523b879c757a6b85ab829adf0558"
"""The last commit of release 0.1; a full hash, because only the history of the clone is searched."""
PROGRAMS = {
    "rancherctl": "from rancherctl.cli.app import main",
    "rancherctl-credential": "from rancherctl.credentials.plugin import main",
}


def _git(*words: str) -> None:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr.strip()} (this test needs a full clone)"


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """A folder with the programs of the release at ``commit``, run with this tree's Python; removed afterwards."""
    tree, programs = folder / "tree", folder / "bin"
    _git("worktree", "add", "--detach", str(tree), commit)
    try:
        programs.mkdir()
        for name, statement in PROGRAMS.items():
            text = f"#!{BIN / 'python'}\nimport sys\nsys.path.insert(0, {str(tree)!r})\n{statement}\nsys.exit(main())\n"
            program = programs / name
            program.write_text(text, encoding="utf-8")
            program.chmod(0o755)
        yield programs
    finally:
        shutil.rmtree(tree, ignore_errors=True)
        _git("worktree", "prune")


def by_release(env: Environment, programs: Path) -> Environment:
    """``env``, operated with another release's programs."""
    return replace(env, programs=programs)

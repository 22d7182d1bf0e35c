"""Build and keep the root trees that hosts are cloned from: one per system and variant, shared by all labs."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rancherctl.bundle.distribution import archives
from rancherctl.lab.command import run
from rancherctl.lab.model import SUITES, Os, Variant
from rancherctl.lab.packages import BASE, finish_script, tree_name
from rancherctl.lab.paths import Roots
from rancherctl.lab.steps import Steps

BUILD_LIMIT = 1200.0  # seconds; a slow mirror, not a slow machine
PARTIAL = ".building-"
# mmdebstrap mounts the machine's /sys and /proc into the tree; a killed one leaves them there, where a removal of the
# incomplete tree would enter them.
# In namespaces of its own, all its mounts and processes end with it, however it or its parent ends.
APART = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child")


def tree(roots: Roots, os: Os, variant: Variant, steps: Steps, mirror: str = "") -> Path:
    """The finished tree, built first where it is not there. Two callers at once build it once.

    It is built in a folder of another name and renamed, so a crash leaves no half tree; leftovers are removed here.
    """
    final = roots.trees / tree_name(os, variant)
    if final.is_dir():
        steps.skipped(f"root tree {final.name}")
        return final
    roots.trees.mkdir(parents=True, exist_ok=True)
    with locked(roots.trees / f".{final.name}.lock", lambda: steps.waiting(f"the root tree {final.name}")):
        if final.is_dir():
            return final
        for left in roots.trees.glob(f"{PARTIAL}{final.name}-*"):
            shutil.rmtree(left)
        with steps.step(f"root tree {final.name}"):
            _build(final, os, variant, mirror)
    return final


def _build(final: Path, os: Os, variant: Variant, mirror: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix=f"{PARTIAL}{final.name}-", dir=final.parent))
    script = folder / "finish"
    script.write_text(finish_script(variant), encoding="utf-8")
    script.chmod(0o755)
    root = folder / "root"
    suite = SUITES[os]
    lines = [archive.line(suite) for archive in archives.archives(mirror)]
    argv = [
        *APART, "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(BASE)}",
        *(f"--aptopt={option}" for option in archives.options()), f"--customize-hook={script}", suite, str(root), "-",
    ]  # fmt: skip
    run(
        argv,
        timeout=BUILD_LIMIT,
        stdin="\n".join(lines) + "\n",
        log=final.parent / f"{final.name}.log",
        name="mmdebstrap",
    )
    root.rename(final)
    shutil.rmtree(folder)


def _alone() -> None:
    """Somebody else holds the lock for a moment only: nothing to tell."""


@contextmanager
def locked(path: Path, busy: Callable[[], None] = _alone) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (made when missing, never removed: a removed lock file can be held twice).

    ``busy`` is called before another command that holds it is waited for.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield

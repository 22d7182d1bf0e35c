"""Where this installation's exec plug-in is. A kubeconfig names it by its path: kubectl runs it from anywhere, with any PATH."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "rancherctl-credential"
_ENTRY_POINTS: Final = ("rancherctl", "kubectl-rancher", NAME)


def places() -> Iterator[Path]:
    """Paths at which it may be, best first: beside the program that was called (a link in a folder of programs outlives upgrades), beside Python.

    An installation outside of a virtual environment has its programs elsewhere than Python.
    """
    called = Path(sys.argv[0] or "-")
    if (
        called.name in _ENTRY_POINTS and os.sep in sys.argv[0]
    ):  # a mere word is no place, and never the folder where somebody stands
        yield called.absolute().with_name(NAME)
    yield Path(sys.executable).with_name(NAME)
    import sysconfig

    for scheme in (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")):
        yield Path(sysconfig.get_path("scripts", scheme), NAME)


def command() -> str:
    """How kubeconfig files name it: its path; the mere word where it cannot be found."""
    there = next((path for path in places() if path.is_file()), None)
    return str(there or shutil.which(NAME) or NAME)

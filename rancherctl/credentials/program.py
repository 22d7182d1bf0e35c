"""Path of this installation's exec plug-in, for kubeconfig files: kubectl may run with another PATH."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NAME: Final = "rancherctl-credential"
_ENTRY_POINTS: Final = ("rancherctl", "kubectl-rancher", NAME)


def candidates() -> Iterator[Path]:
    """Possible paths, best first.

    Beside the called program (a link that outlives upgrades), beside Python, in the scripts folder.

    Outside of a virtual environment, programs are not installed beside Python.
    """
    called = Path(sys.argv[0] or "-")
    if (
        called.name in _ENTRY_POINTS and os.sep in sys.argv[0]
    ):  # a name without a folder was found on PATH, and must not match the working directory
        yield called.absolute().with_name(NAME)
    yield Path(sys.executable).with_name(NAME)
    import sysconfig

    for scheme in (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")):
        yield Path(sysconfig.get_path("scripts", scheme), NAME)


def command() -> str:
    """The command for kubeconfig files: its path, or its name if it is not found."""
    found = next((path for path in candidates() if path.is_file()), None)
    return str(found or shutil.which(NAME) or NAME)

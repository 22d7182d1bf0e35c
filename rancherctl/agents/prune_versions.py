"""Remove old versions of the agent's program, except the running one and the newest other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rancherctl.contract import PROGRAMS
from rancherctl.errors import RancherctlError

FOLDER = Path(PROGRAMS) / "agent"
_DIGEST = re.compile(r"[0-9a-f]{12}")


def old_versions(folder: Path) -> tuple[Path, ...]:
    """Folders of versions to remove, newest first; none if it is unknown which version runs."""
    try:
        current = (folder / "current").readlink().name
    except OSError:
        return ()
    programs = {
        path.name: path.stat().st_mtime for path in folder.iterdir() if _DIGEST.fullmatch(path.name) and path.is_dir()
    }
    if programs.pop(current, None) is None:
        return ()
    newest_first = sorted(programs, key=lambda name: (programs[name], name), reverse=True)
    return tuple(folder / name for name in newest_first[1:])


def prune(folder: Path = FOLDER) -> tuple[str, ...]:
    """Remove old versions and return their names."""
    removed = []
    try:
        for path in old_versions(folder):
            shutil.rmtree(path)
            removed.append(path.name)
    except OSError as error:
        raise RancherctlError(f"cannot remove old versions of the agent in {folder}", why=str(error)) from error
    return tuple(removed)

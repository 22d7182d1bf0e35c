"""Remove the programs of agents before the last: the one that runs and the one before it (for going back) stay."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from rancherctl.errors import RancherctlError

FOLDER = Path("/opt/rancherctl/agent")
_DIGEST = re.compile(r"[0-9a-f]{12}")


def old(folder: Path) -> tuple[Path, ...]:
    """Folders of programs that nobody goes back to, newest first. None where it cannot be told which one runs."""
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


def tidy(folder: Path = FOLDER) -> tuple[str, ...]:
    """Remove them; their names."""
    removed = []
    try:
        for path in old(folder):
            shutil.rmtree(path)
            removed.append(path.name)
    except OSError as error:
        raise RancherctlError(f"cannot remove old programs of the agent in {folder}", why=str(error)) from error
    return tuple(removed)

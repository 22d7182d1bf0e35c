"""Files of this machine that matter: the old content or the new one, whatever happens in between. Standard library only.

Hosts have their own (hosts.remote.disk), which travels with the steps that are sent there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def replace(
    target: Path, content: bytes, *, mode: int = 0o600, folders: int = 0o700, owner: tuple[int, int] | None = None
) -> None:
    """Write a file whole. Folders that are missing are made with the mode ``folders``; ``owner`` (user id, group id) None = who runs this."""
    atomically(target, lambda temporary: temporary.write_bytes(content), mode=mode, folders=folders, owner=owner)


def atomically(
    target: Path,
    fill: Callable[[Path], object],
    *,
    mode: int = 0o600,
    folders: int = 0o700,
    owner: tuple[int, int] | None = None,
) -> None:
    """Let ``fill`` write (or put) a file at a temporary path beside ``target``, then fsync and rename it. Nothing is left when it fails.

    The temporary file is 0600 until it is whole, so that a secret is never readable by others.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=folders)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        fill(temporary)
        with temporary.open("rb") as file:
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # the rename itself survives a power cut
    finally:
        os.close(folder)

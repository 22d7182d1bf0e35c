"""Atomic writes of local files: the old content or the new one, never a part. Standard library only.

The equivalent for hosts is hosts.remote.disk, which is sent to them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def replace(
    target: Path, content: bytes, *, mode: int = 0o600, folders: int = 0o700, owner: tuple[int, int] | None = None
) -> None:
    """Replace a file atomically.

    Missing folders are created with the mode ``folders``. ``owner`` is (user id, group id), None for the current user.
    """
    atomically(target, lambda temporary: temporary.write_bytes(content), mode=mode, folders=folders, owner=owner)


def atomically(
    target: Path,
    fill: Callable[[Path], object],
    *,
    mode: int = 0o600,
    folders: int = 0o700,
    owner: tuple[int, int] | None = None,
) -> None:
    """Let ``fill`` write (or move) a file to a temporary path beside ``target``, then fsync and rename it.

    The temporary file has mode 0600 until it is complete, so that a secret is never readable by others; it is removed
    on failure. An OSError names ``target`` or a folder on the way to it.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=folders)
    try:
        _replace(target, fill, mode, owner)
    except OSError as error:
        error.filename, error.filename2 = str(target), None
        raise
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # makes the rename itself durable
    finally:
        os.close(folder)


def _replace(target: Path, fill: Callable[[Path], object], mode: int, owner: tuple[int, int] | None) -> None:
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

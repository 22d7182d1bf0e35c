"""Replace the content of a file that cannot be renamed, such as a single file mounted into a container."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Final

from rancherctl.errors import LockedError, RancherctlError
from rancherctl.files import replace as replace_file

NOT_REPLACEABLE: Final = (errno.EBUSY, errno.EXDEV)
"""Errors of rename(2) for a target that is a mount point."""


def overwrite(target: Path, content: bytes) -> None:
    """Write ``content`` over the file's own bytes, which keeps its inode, mode and owner.

    A copy of the old content (0600) is beside the file meanwhile. After a failure the old content is written back, and
    the copy stays only if that fails, too; RancherctlError names it. LockedError if another program holds an advisory
    lock on the file itself: kubectl's lock file is not seen outside of the container.
    """
    handle = os.open(target, os.O_RDWR | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(f"{target} is locked by another process", hint="try again when it has ended") from error
        old = _content(handle)
        copy = target.with_name(f".{target.name}.before")
        replace_file(copy, old)
        try:
            _write(handle, content)
        except BaseException as error:
            try:
                _write(handle, old)
            except OSError as again:
                raise RancherctlError(
                    f"{target} is damaged",
                    why=f"writing it failed ({error}), and so did restoring it ({again})",
                    hint=f"the old content is in {copy}: copy it back",
                ) from error
            copy.unlink()
            raise
        with contextlib.suppress(FileNotFoundError):  # another program may have cleaned up
            copy.unlink()
    finally:
        os.close(handle)


def _content(handle: int) -> bytes:
    parts, offset = [], 0
    while part := os.pread(handle, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def _write(handle: int, content: bytes) -> None:
    offset = 0
    while offset < len(content):
        offset += os.pwrite(handle, content[offset:], offset)
    os.ftruncate(handle, len(content))
    os.fsync(handle)

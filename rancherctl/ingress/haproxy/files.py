"""Files of the load balancer on a host: replace them atomically, compare them with the wanted texts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rancherctl.hosts.remote import disk
from rancherctl.ingress.haproxy.runtime import HaproxyError


@contextmanager
def writing(folder: str) -> Iterator[None]:
    """Raise HaproxyError instead of an OSError of the block, which writes into ``folder``."""
    try:
        yield
    except OSError as error:
        raise HaproxyError(
            f"cannot write to {folder}", why=str(error), hint="free disk space; traffic is still served"
        ) from error


def write(path: Path, data: bytes, *, mode: int = 0o640, group: int = -1) -> None:
    """Replace ``path`` by temp + fsync + rename. Raises OSError.

    After a crash the file has its old or its new content.
    """
    disk.put(path, data, mode, gid=group)


def write_all(contents: Mapping[Path, bytes], *, group: int = -1) -> None:
    """``write`` for several files at once, renamed in this order. Raises OSError."""
    disk.put_all(contents, 0o640, gid=group)


def write_scratch(path: Path, data: bytes, *, group: int = -1) -> None:
    """Create a file that need not survive a crash. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    with os.fdopen(fd, "wb") as out:
        os.fchown(fd, -1, group)
        os.fchmod(fd, 0o640)
        out.write(data)


def make_folder(path: Path, mode: int, *, group: int = -1) -> None:
    """Create a folder that its owner and ``group`` may read. Raises OSError."""
    path.mkdir(mode=0o700)
    os.chown(path, -1, group)
    path.chmod(mode)


Identity = tuple[int, int, int]


def identity(path: Path) -> Identity | None:
    """What changes when another process writes the file; None if it is missing.

    Inode, size, modification time in nanoseconds.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def differing(wanted: Mapping[str, str]) -> list[str]:
    """Paths whose content on disk differs from the wanted text, or cannot be read."""
    out = []
    for path, text in wanted.items():
        try:
            same = Path(path).read_bytes() == text.encode()
        except OSError:
            same = False
        if not same:
            out.append(path)
    return out

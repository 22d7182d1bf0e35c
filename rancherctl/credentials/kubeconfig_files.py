"""Reads and writes kubeconfig files.

Bounded reads, kubectl's lock, atomic replacement through symbolic links with the mode kept.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rancherctl.credentials import documents
from rancherctl.credentials.in_place import NOT_REPLACEABLE, overwrite
from rancherctl.credentials.kubeconfig import Document, Json
from rancherctl.errors import LockedError, NotFoundError, RancherctlError, UsageError
from rancherctl.files import replace as replace_file

LOCK_SECONDS = 10.0
_FILE_HINT = "check the path; --kubeconfig or $KUBECONFIG selects another file"


def read(files: Sequence[Path], *, required: bool = False) -> tuple[Document, ...]:
    """The files that exist, in order.

    NotFoundError for a missing one if ``required``; UsageError for invalid content.
    """
    out = []
    for path in files:
        data = _read(path)
        if data is None and required:
            raise NotFoundError(
                f"kubeconfig file {path} not found", hint="check the value of --kubeconfig or RANCHERCTL_KUBECONFIG"
            )
        if data is not None:
            out.append(Document(path, parse(data, path)))
    return tuple(out)


def existing(files: Sequence[Path]) -> tuple[Path, ...]:
    """The files that exist; UsageError for one in a folder that may not be read."""
    found = []
    for path in files:
        try:
            if path.is_file():
                found.append(path)
        except OSError as e:
            raise UsageError(f"cannot read {path}", why=e.strerror or str(e), hint=_FILE_HINT) from e
    return tuple(found)


def parse(data: bytes, path: Path) -> Json:
    """A file's content, which is its first document as for kubectl; an empty one is an empty config."""
    return _checked(documents.load_first(data, str(path))[0], path)


def _checked(value: Any, path: Path) -> Json:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{path} is not a kubeconfig file", why="its top level must be a mapping", hint=_FILE_HINT)
    if value.get("kind", "Config") not in ("Config", "") or value.get("apiVersion", "v1") not in ("v1", ""):
        raise UsageError(
            f"{path} is not a kubeconfig file",
            why=f"it is {value.get('apiVersion')} {value.get('kind')}",
            hint=_FILE_HINT,
        )
    return value


def trusted(path: Path, listed: Sequence[Path], home: Path) -> bool:
    """Whether a file's plug-ins may run.

    It belongs to the user, no other user can write it, and the user chose its place.

    That is below ~/.kube, or in ``listed`` ($KUBECONFIG). A file given on a command line only may come from anywhere.
    """
    try:
        real = path.resolve(strict=True)
        info = real.stat()
    except OSError:
        return False
    own = info.st_uid == os.getuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    chosen = path in listed or real.is_relative_to((home / ".kube").resolve())
    return own and chosen


def update(path: Path, change: Callable[[Json], Json], say: Callable[[str], None]) -> bool:
    """Apply ``change`` to a file's content under kubectl's lock; returns whether anything changed. A new file is 0600.

    ``say`` prints a line for a person if the file could not be replaced atomically.

    LockedError names the lock file: a killed kubectl leaves it behind, and only a person can decide to remove it.
    """
    if path.exists() and not path.is_file():
        why = "its content is read and then replaced, which works with regular files only"
        raise UsageError(f"{path} cannot be changed", why=why, hint=_FILE_HINT)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with _kubectl_lock(path):
        data = _read(path)
        value, more = (None, False) if data is None else documents.load_first(data, str(path))
        if more:
            raise UsageError(
                f"{path} has several documents, so it was not changed",
                why="kubectl reads the first one, and writing the file would remove the others",
                hint="split it into files, and list them in KUBECONFIG, separated by colons",
            )
        old = _checked(value, path)
        new = change(old)
        if data is not None and new == old:
            return False
        _replace(Path(os.path.realpath(path)), documents.dump(new), say)
        return True


@contextlib.contextmanager
def _kubectl_lock(path: Path) -> Iterator[None]:
    from filelock import SoftFileLock, Timeout

    class Lock(SoftFileLock):
        """Breaks stale locks of our own processes only.

        Kubectl's lock files are empty, which the base class treats as stale.
        """

        def _try_break_stale_lock(self) -> None:
            with contextlib.suppress(FileNotFoundError):  # it was released just now
                if Path(self.lock_file).stat().st_size:
                    super()._try_break_stale_lock()

    lock = Lock(f"{path}.lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as e:
        why = f"{path}.lock has existed for more than {LOCK_SECONDS:.0f} s"
        raise LockedError(
            f"{path} is locked by another process", why=why, hint="if no such process is running, remove the lock file"
        ) from e
    except OSError as e:
        raise RancherctlError(
            f"cannot lock {path}",
            why=e.strerror or str(e),
            hint=(
                "free some disk space"
                if e.errno in (errno.ENOSPC, errno.EDQUOT)
                else "make the folder writable, because kubectl's lock file is created there; or select another file"
                " with --kubeconfig or $KUBECONFIG"
            ),
        ) from e
    try:
        yield
    finally:
        lock.release()


def _replace(real: Path, data: bytes, say: Callable[[str], None]) -> None:
    try:
        before: os.stat_result | None = real.stat()
    except FileNotFoundError:
        before = None
    owner = (before.st_uid, before.st_gid) if before and os.getuid() == 0 else None
    if before is not None and (why := _keeps_inode(before)):
        overwrite(real, data)
        say(f"{real} was written in place, not replaced atomically: {why}")
        return
    try:
        replace_file(real, data, mode=stat.S_IMODE(before.st_mode) if before else 0o600, folders=0o750, owner=owner)
    except OSError as e:
        if before is None or e.errno not in NOT_REPLACEABLE:
            raise
        overwrite(real, data)
        say(f"{real} was written in place, not replaced atomically: it is a mount point")


def _keeps_inode(before: os.stat_result) -> str:
    """Why a file is not replaced, "" if it is: kubectl writes in place, which keeps other names and the owner."""
    if before.st_nlink > 1:
        return f"it has {before.st_nlink} names (hard links)"
    return "it belongs to another user" if os.getuid() not in (0, before.st_uid) else ""


def _read(path: Path) -> bytes | None:
    """A file's bytes, None if it does not exist; the size is bounded, also for devices."""
    try:
        with path.open("rb") as f:
            data = f.read(documents.LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise UsageError(f"cannot read {path}", why=e.strerror or str(e), hint=_FILE_HINT) from e
    if len(data) > documents.LARGEST:
        raise UsageError(
            f"{path} is too large for a kubeconfig file", why=f"more than {documents.LARGEST} bytes", hint=_FILE_HINT
        )
    return data

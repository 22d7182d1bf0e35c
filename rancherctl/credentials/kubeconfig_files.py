"""Reading and writing kubeconfig files: bounded reads, kubectl's lock, replacement through symbolic links with the mode kept."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rancherctl.credentials import documents
from rancherctl.credentials.kubeconfig import Document, Json
from rancherctl.errors import LockedError, NotFoundError, RancherctlError, UsageError
from rancherctl.files import replace as replace_file

LOCK_SECONDS = 10.0
_ANOTHER = "is it the file that is meant? --kubeconfig and $KUBECONFIG name others"


def read(files: Sequence[Path], *, required: bool = False) -> tuple[Document, ...]:
    """The files that exist, in order. ``required``: a missing one is NotFoundError (a file that the user named). UsageError for bad content."""
    out = []
    for path in files:
        data = _read(path)
        if data is None and required:
            raise NotFoundError(
                f"there is no kubeconfig file {path}", hint="--kubeconfig, or RANCHERCTL_KUBECONFIG, names it"
            )
        if data is not None:
            out.append(Document(path, parse(data, path)))
    return tuple(out)


def parse(data: bytes, path: Path) -> Json:
    """A file's content; an empty file is an empty config."""
    value = documents.load(data, str(path))
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{path} is not a kubeconfig file", why="its top level is not a mapping", hint=_ANOTHER)
    if value.get("kind", "Config") not in ("Config", "") or value.get("apiVersion", "v1") not in ("v1", ""):
        raise UsageError(
            f"{path} is not a kubeconfig file",
            why=f"it is {value.get('apiVersion')} {value.get('kind')}",
            hint=_ANOTHER,
        )
    return value


def trusted(path: Path, listed: Sequence[Path], home: Path) -> bool:
    """Whether programs that the file names may run: the user's own file, which nobody else can write, at a place that the user chose.

    Such a place is below ~/.kube, or ``listed`` ($KUBECONFIG). A file that was only given on a command line may come from anywhere.
    """
    try:
        real = path.resolve(strict=True)
        info = real.stat()
    except OSError:
        return False
    own = info.st_uid == os.getuid() and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    chosen = path in listed or real.is_relative_to((home / ".kube").resolve())
    return own and chosen


def update(path: Path, change: Callable[[Json], Json]) -> bool:
    """Replace a file's content by ``change`` of it, under kubectl's lock; whether anything changed. A new file is 0600.

    LockedError names the lock file: a kubectl that was killed leaves it behind, and only a person can tell.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    with _kubectl_lock(path):
        data = _read(path)
        old = {} if data is None else parse(data, path)
        new = change(old)
        if data is not None and new == old:
            return False
        _replace(Path(os.path.realpath(path)), documents.dump(new))
        return True


@contextlib.contextmanager
def _kubectl_lock(path: Path) -> Iterator[None]:
    from filelock import SoftFileLock, Timeout

    class Lock(SoftFileLock):
        """Breaks locks of our own processes that are gone, and no other: kubectl's are empty, which the base class takes for half written."""

        def _try_break_stale_lock(self) -> None:
            with contextlib.suppress(FileNotFoundError):  # released just now
                if Path(self.lock_file).stat().st_size:
                    super()._try_break_stale_lock()

    lock = Lock(f"{path}.lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as e:
        why = f"{path}.lock is there for more than {LOCK_SECONDS:.0f} s"
        raise LockedError(
            f"{path} is being changed by another program", why=why, hint="if none is running, remove the lock file"
        ) from e
    except OSError as e:
        raise RancherctlError(
            f"{path} cannot be locked",
            why=e.strerror or str(e),
            hint="kubectl's lock file needs a folder that can be written",
        ) from e
    try:
        yield
    finally:
        lock.release()


def _replace(real: Path, data: bytes) -> None:
    try:
        before: os.stat_result | None = real.stat()
    except FileNotFoundError:
        before = None
    owner = (before.st_uid, before.st_gid) if before and os.getuid() == 0 else None
    replace_file(real, data, mode=stat.S_IMODE(before.st_mode) if before else 0o600, folders=0o750, owner=owner)


def _read(path: Path) -> bytes | None:
    """A file's bytes, None if it is not there; never more than a kubeconfig may have (a device or a huge file is not read whole)."""
    try:
        with path.open("rb") as f:
            data = f.read(documents.LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise UsageError(f"{path} cannot be read", why=e.strerror or str(e), hint=_ANOTHER) from e
    if len(data) > documents.LARGEST:
        raise UsageError(
            f"{path} is too large for a kubeconfig file", why=f"more than {documents.LARGEST} bytes", hint=_ANOTHER
        )
    return data

"""Small file work that every source shares: hashes, and putting files of the cache into place."""

from __future__ import annotations

import errno
import hashlib
import shutil
from pathlib import Path
from typing import Final

from rancherctl.files import atomically

_NO_LINK: Final = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP)


def sha256_of(path: Path) -> str:
    """The sha256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def place(source: Path, target: Path, mode: int, *, link: bool) -> None:
    """Put a file at ``target``: with ``link`` as a hard link if possible and modes agree, else as a copy.

    Only files of the cache are linked, which are never edited in place: an edit would change both copies.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    real = source.resolve()
    if not (link and real.stat().st_mode & 0o777 == mode and _linked(real, target)):
        atomically(target, lambda temporary: shutil.copyfile(real, temporary), mode=mode, folders=0o755)


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True

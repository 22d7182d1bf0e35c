"""The folder with certificates and keys on a host: one file for each content, named after it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from rancherctl.hosts.remote import disk
from rancherctl.ingress.haproxy import files
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.translate import pem

log = logging.getLogger(__name__)
Pairs = Callable[[str], pem.KeyPair | None]
"""The certificate and key of a content; None if they are nowhere."""


class PemFiles:
    """Writes and removes the files. ``group`` gives the group that may read them (-1 = that of this process)."""

    def __init__(self, paths: Paths, group: Callable[[], int]) -> None:
        self._paths, self._group = paths, group
        self._known: dict[str, files.Identity | None] = {}
        self._listed = False

    def read(self, content: str) -> pem.KeyPair | None:
        """The pair in a file; None if it is missing or has another content."""
        return _read(self._paths, content) or _read(self._paths.former, content)

    def write(self, contents: Iterable[str], pair: Pairs) -> frozenset[str]:
        """Write the files that are missing or were changed; returns the contents that are nowhere. Raises OSError."""
        missing: set[str] = set()
        new: dict[Path, bytes] = {}
        checked: list[tuple[str, Path]] = []
        for content in contents:
            path = Path(self._paths.certificate(content))
            if content in self._known and self._known[content] == files.identity(path) is not None:
                continue
            if _read(self._paths, content) is None:
                found = pair(content) or self.read(content)
                if found is None:
                    missing.add(content)
                    continue
                new[path] = found.text.encode()
            checked.append((content, path))
        if new:
            self.make_folder()
            files.write_all(new, group=self._group())
        self._known |= {content: files.identity(path) for content, path in checked}
        return frozenset(missing)

    def write_default(self, content: str) -> None:
        """Copy a content to the file of the default certificate, whose name never changes. Raises OSError."""
        source, path = Path(self._paths.certificate(content)), Path(self._paths.default_certificate)
        data = source.read_bytes()
        if not path.exists() or path.read_bytes() != data:
            files.write(path, data, group=self._group())

    def collect(self, keep: Collection[str]) -> None:
        """Remove the files of all other contents. The folder is listed only once: later files are known."""
        if not self._listed:
            folder = Path(self._paths.certificates)
            self._known = dict.fromkeys(path.stem for path in folder.glob("*.pem")) | self._known
            for left in folder.glob(f".*.pem{disk.TEMPORARY}"):  # of an interrupted write
                left.unlink(missing_ok=True)
            self._known.pop(Path(self._paths.default_certificate).stem, None)
            self._listed = True
        for content in self._known.keys() - keep:
            Path(self._paths.certificate(content)).unlink(missing_ok=True)
            del self._known[content]
        if not keep:
            Path(self._paths.default_certificate).unlink(missing_ok=True)

    def remove_former(self) -> None:
        """Remove the folder where certificates were before they moved. Raises HaproxyError."""
        folder = Path(self._paths.former.certificates)
        if folder.exists():
            with files.writing(str(folder)):
                shutil.rmtree(folder)
            log.info("removed %s: keys are now in %s", folder, self._paths.certificates)

    def make_folder(self) -> None:
        """Create the folder if it does not exist. Raises OSError."""
        folder = Path(self._paths.certificates)
        if not folder.exists():
            files.make_folder(folder, 0o750, group=self._group())


def _read(paths: Paths, content: str) -> pem.KeyPair | None:
    try:
        pair = pem.read(Path(paths.certificate(content)).read_text("ascii"))
    except (OSError, ValueError):
        return None
    return pair if pair.content == content else None

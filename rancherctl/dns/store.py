"""The zone files on this host: install them for the server to load, and keep sealed copies.

The server owns zone and journal while a zone is loaded; write them only if it is not loaded or the server is stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rancherctl.dns import zonefile
from rancherctl.dns.named_conf import ALL_LOADED, STARTS
from rancherctl.errors import RancherctlError
from rancherctl.hosts.remote import disk

_LEFT = ".new-*"
"""Temporary files of prepare.sh and of agents of earlier releases."""
FILE_MODE = 0o660
"""The server's group writes zones, too; files inherit the group of the folder."""


class Store:
    """The files below one data folder."""

    def __init__(self, data: str) -> None:
        self._data = Path(data)

    def stage(self, texts: Mapping[str, str]) -> dict[str, Path]:
        """Write each zone to a temporary file, synced to disk: a full disk does no harm here."""
        staged: dict[str, Path] = {}
        try:
            for zone, text in texts.items():
                staged[zone] = self._staged(self._data / zonefile.file_name(zone), text)
        except RancherctlError:
            self.discard(staged)
            raise
        return staged

    def commit(self, staged: Mapping[str, Path]) -> None:
        """Install staged zones; removes the journals first, because a zone does not load with that of another file."""
        for zone, path in staged.items():
            target = self._data / zonefile.file_name(zone)
            (target.parent / f"{target.name}.jnl").unlink(missing_ok=True)
            path.replace(target)
        disk.sync_directory(self._data)

    def discard(self, staged: Mapping[str, Path]) -> None:
        """Remove staged zones that were not installed."""
        for path in staged.values():
            path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove temporary files that killed processes left behind."""
        for path in self._data.glob(_LEFT):
            path.unlink(missing_ok=True)

    def has_zone(self, zone: str) -> bool:
        """Whether the zone has a file, valid or not."""
        return (self._data / zonefile.file_name(zone)).exists()

    def all_loaded(self) -> bool:
        """Whether the server has logged that it has loaded all zones it can; False also if it could not log."""
        try:
            return ALL_LOADED in (self._data / STARTS).read_text(encoding="utf-8", errors="replace")
        except OSError:  # not written yet, or the disk is full
            return False

    def drop_journal(self, zone: str) -> bool:
        """Remove the journal of a zone that the server cannot load; True if it had one."""
        journal = self._data / f"{zonefile.file_name(zone)}.jnl"
        found = journal.exists()
        journal.unlink(missing_ok=True)
        return found

    def keep(self, zone: str, text: str) -> None:
        """Save a sealed copy of a zone."""
        self._put(self._kept(zone), zonefile.seal(text))

    def kept(self, zone: str) -> str | None:
        """The saved copy; None if it is missing or damaged."""
        try:
            return zonefile.unseal(self._kept(zone).read_text(encoding="ascii"))
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        except OSError as error:
            raise RancherctlError(f"cannot read {self._kept(zone)}", why=str(error)) from error

    def replace(self, path: str, text: str) -> bool:
        """Write another small file if its content differs; True if it was written."""
        if _content(path) == text.encode():
            return False
        self._put(Path(path), text)
        return True

    def _kept(self, zone: str) -> Path:
        return self._data / f"{zonefile.file_name(zone)}.kept"

    def _staged(self, target: Path, text: str) -> Path:
        try:
            return disk.staged(target, text.encode("ascii"), FILE_MODE)
        except OSError as error:
            raise RancherctlError(
                f"cannot write into {self._data}", why=str(error), hint="is the disk full?"
            ) from error

    def _put(self, target: Path, text: str) -> None:
        self._staged(target, text).replace(target)
        disk.sync_directory(target.parent)


def _content(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:  # rewrite a file that cannot be read
        return None

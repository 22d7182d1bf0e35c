"""The files of the zones on this host: put in place for the server to load, and the sealed copies that the agent keeps.

Zone and journal belong to the server while a zone is loaded; they are only written when it is not (or the server is stopped).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rancherctl.dns import zonefile
from rancherctl.dns.named_conf import ALL_LOADED, STARTS
from rancherctl.errors import RancherctlError
from rancherctl.hosts.remote import disk

_LEFT = ".new-*"
"""What prepare.sh is writing before the server starts, and what the agent of earlier versions was."""
FILE_MODE = 0o660
"""The server's group writes zones as well; the folder hands its group down."""


class Store:
    """Files below one data directory."""

    def __init__(self, data: str) -> None:
        self._data = Path(data)

    def stage(self, texts: Mapping[str, str]) -> dict[str, Path]:
        """Write each zone beside its place, synced to disk; nothing is in use yet, so a full disk does no harm here."""
        staged: dict[str, Path] = {}
        try:
            for zone, text in texts.items():
                staged[zone] = self._staged(self._data / zonefile.file_name(zone), text)
        except RancherctlError:
            self.discard(staged)
            raise
        return staged

    def commit(self, staged: Mapping[str, Path]) -> None:
        """Put staged zones in place. The journal goes first: a zone file without one loads, a journal of another file does not."""
        for zone, path in staged.items():
            target = self._data / zonefile.file_name(zone)
            (target.parent / f"{target.name}.jnl").unlink(missing_ok=True)
            path.replace(target)
        disk.sync_directory(self._data)

    def discard(self, staged: Mapping[str, Path]) -> None:
        """Remove staged zones that were not put in place."""
        for path in staged.values():
            path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what processes that were killed in mid-write left behind under names that nobody uses again."""
        for path in self._data.glob(_LEFT):
            path.unlink(missing_ok=True)

    def has_zone(self, zone: str) -> bool:
        """Whether a zone file is there, good or bad."""
        return (self._data / zonefile.file_name(zone)).exists()

    def all_loaded(self) -> bool:
        """Whether the running server has said that it has loaded what it can; False also when its words could not be written."""
        try:
            return ALL_LOADED in (self._data / STARTS).read_text(encoding="utf-8", errors="replace")
        except OSError:  # not there yet, or the disk is full
            return False

    def drop_journal(self, zone: str) -> bool:
        """Remove the journal of a zone that the server could not load; True if there was one."""
        journal = self._data / f"{zonefile.file_name(zone)}.jnl"
        found = journal.exists()
        journal.unlink(missing_ok=True)
        return found

    def keep(self, zone: str, text: str) -> None:
        """Keep a sealed copy of a zone."""
        self._put(self._kept(zone), zonefile.seal(text))

    def kept(self, zone: str) -> str | None:
        """The kept copy; None if there is none or it is damaged."""
        try:
            return zonefile.unseal(self._kept(zone).read_text(encoding="ascii"))
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        except OSError as error:
            raise RancherctlError(f"cannot read {self._kept(zone)}", why=str(error)) from error

    def replace(self, path: str, text: str) -> bool:
        """Write another small file of ours if its content differs; True when it was written."""
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
    except OSError:  # what cannot be read is written anew
        return None

"""An nft table that only rancherctl writes: load it, notice changes by other programs, remove it. Family inet."""

from __future__ import annotations

from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport


def load(transport: Transport, name: str, text: str) -> str:
    """Replace the table by ``text`` ("" removes it) in one transaction; returns how nft lists it."""
    # "add" before "delete" makes the deletion succeed even if the table is missing.
    transport.run(command("nft", "-f", "-", stdin=f"add table inet {name}\ndelete table inet {name}\n{text}"))
    return listing(transport, name) if text else ""


def listing(transport: Transport, name: str) -> str:
    """The table as nft lists it; "" if it does not exist."""
    listed = transport.run(command("nft", "-s", "list", "table", "inet", name), check=False)
    return listed.text() if listed.ok else ""


class NftTable:
    """Keeps a table as wanted. Its first call does not know what an earlier process left there."""

    def __init__(self, transport: Transport, name: str) -> None:
        self._transport, self._name = transport, name
        self._loaded: tuple[str, str] | None = None
        """The text, and how nft listed it; None: not known."""

    def ensure(self, text: str, *, unchanged: bool = False) -> bool:
        """Load ``text`` if the kernel has another table; returns whether it was loaded. CommandFailedError.

        ``unchanged``: the caller knows that no other program has changed the table, so it is not asked for.
        """
        if unchanged and self._loaded is not None and self._loaded[0] == text:
            return False
        if self._loaded is None or self._loaded[0] == text:
            seen = listing(self._transport, self._name)
            if self._loaded == (text, seen) or (not text and not seen):
                self._loaded = text, seen
                return False
        self._loaded = None
        self._loaded = text, load(self._transport, self._name, text)
        return True

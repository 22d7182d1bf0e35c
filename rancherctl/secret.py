"""Text that does not print itself. Here lives the one type; where secrets are kept is credentials.store."""

from __future__ import annotations


class Secret(str):
    """A word or text whose ``repr`` is ``***``; only what sends or stores it reads the value (``str(secret)`` is the value)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

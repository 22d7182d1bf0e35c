"""Text that does not print itself. Here lives the type only; credentials.store stores secrets."""

from __future__ import annotations


class Secret(str):
    """Text whose ``repr`` is ``***``; ``str(secret)`` is the value, for code that sends or stores it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

"""The note in which a federation says in a member when its process was there last. Pure.

A member that was removed by force while it was off has no other way to learn that the federation no longer comes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

NOTE: Final = "seen"
"""The ConfigMap in the federation's namespace of a member."""
KEY: Final = "at"
NOTE_SECONDS: Final = 300.0
"""How often the note is written."""
STALE_SECONDS: Final = 3 * NOTE_SECONDS
"""A note that is older says that the federation is away, or that it no longer knows the member."""


def text(moment: float) -> str:
    """Seconds since 1970 as the note has them: RFC 3339."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(note: str) -> float | None:
    """Seconds since 1970 of a note; None if it cannot be read."""
    try:
        return datetime.fromisoformat(note.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def stale(environment: str, federation: str, note: str, now: float) -> str:
    """What to say about a note in a member, one line; "" if it is young, or is none. ``now``: seconds since 1970."""
    at = seconds(note)
    if at is None or now - at < STALE_SECONDS:
        return ""
    return (
        f"the federation {federation} was last here at {note}; if it no longer knows {environment}, remove what it "
        f"left: rancherctl federation leave {environment} --services keep --federation {federation}"
    )

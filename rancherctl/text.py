"""Parts of messages: counts, shortened lists, suggestions, digests. Pure, standard library only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

SHOWN: Final = 5
"""How many names a message lists before it says how many more there are."""


def plural(count: int, noun: str, plural_form: str = "") -> str:
    """``1 host``, ``2 hosts``; ``plural_form`` for nouns that do not just take an s."""
    return f"{count} {noun if count == 1 else plural_form or noun + 's'}"


def and_more(items: Sequence[str], *, shown: int = SHOWN, separator: str = ", ") -> str:
    """The first ``shown`` items and the number of the rest: ``a, b, c and 4 more``."""
    listed = separator.join(items[:shown])
    return f"{listed} and {len(items) - shown} more" if len(items) > shown else listed


def closest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The known word that looks most like ``word``; "" if none is similar enough (0 to 1)."""
    import difflib

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return found[0] if found else ""


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """``did you mean "prod"?`` for a mistyped word; "" if no known word is similar enough."""
    near = closest(word, known, cutoff=cutoff)
    return f'did you mean "{near}"?' if near else ""


def last_line(text: str | bytes, fallback: str = "") -> str:
    """The last line of a program's output that is not blank, stripped; ``fallback`` if there is none."""
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return next((line.strip() for line in reversed(decoded.splitlines()) if line.strip()), fallback)


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters; a text that was cut ends with ``…``."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def quoted(text: str, limit: int = 60) -> str:
    """``text`` in quotes, fit for a one-line message: ASCII with escapes, shortened."""
    return ascii(shorten(text, limit))


def short_digest(content: str | bytes, digits: int = 12) -> str:
    """The first hex digits of the SHA-256 of ``content``: names a build or a content, does not protect one."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:digits]

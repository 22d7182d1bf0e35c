"""Parsers of annotation values: from the stripped text to a typed value. Pure.

Each raises ValueError with one line that says what is allowed. Whatever they return is safe in HAProxy's configuration
and on its socket: numbers, or words without quotes, blanks, control characters and HAProxy's own special characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rancherctl.names import is_label_key, is_label_value
from rancherctl.text import quoted

MAX_DURATION: Final = 24 * 3_600_000
MAX_SIZE: Final = 1 << 40
_MILLISECONDS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_BYTES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DURATION = re.compile(r"(?P<number>[1-9][0-9]{0,8})(?P<unit>ms|s|m|h)")
_SIZE = re.compile(r"(?P<number>[1-9][0-9]{0,12})(?P<unit>[kmg]?)", re.IGNORECASE)
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def integer(least: int, most: int) -> Callable[[str], int]:
    """A parser of integers in a range."""

    def parse(text: str) -> int:
        if _NUMBER.fullmatch(text) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{quoted(text, 30)} is not an integer from {least} to {most}")

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of fixed words, in any case."""

    def parse(text: str) -> str:
        if text.lower() in words:
            return text.lower()
        raise ValueError(f"{quoted(text, 30)} is not one of {', '.join(words)}")

    return parse


def duration(text: str) -> int:
    """Milliseconds."""
    found = _DURATION.fullmatch(text)
    value = int(found["number"]) * _MILLISECONDS[found["unit"]] if found else 0
    if not 0 < value <= MAX_DURATION:
        raise ValueError(f"{quoted(text, 30)} is not a duration from 1ms to 24h, such as 90s or 5m")
    return value


def size(text: str) -> int:
    """Bytes; 0 means without a limit."""
    found = _SIZE.fullmatch(text)
    value = int(found["number"]) * _BYTES[found["unit"].lower()] if found else 0
    if text != "0" and not 0 < value <= MAX_SIZE:
        raise ValueError(f"{quoted(text, 30)} is not a size up to 1024g, such as 512k or 100m, and not 0 (unlimited)")
    return value


def boolean(text: str) -> bool:
    """``true`` or ``false``, in any case; the empty text is false."""
    value = {"": False, "false": False, "true": True}.get(text.lower())
    if value is None:
        raise ValueError(f"{quoted(text, 30)} is neither true nor false")
    return value


def labels(text: str) -> tuple[tuple[str, str], ...]:
    """Labels ``KEY=VALUE,…``, sorted."""
    found: list[tuple[str, str]] = []
    for part in text.split(",") if text else ():
        key, separator, value = part.strip().partition("=")
        if not separator or not is_label_key(key) or not is_label_value(value):
            raise ValueError(f"{quoted(part.strip())} is not a label in the form KEY=VALUE")
        found.append((key, value))
    return tuple(sorted(found))

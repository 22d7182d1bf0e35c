"""Plain tables like kubectl's: padded columns, upper-case titles, never truncated, never wrapped. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

GAP = "   "


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The lines of a table, each with a newline; "" without rows. Control characters in cells are escaped."""
    if not rows:
        return ""
    clean = [[visible(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(width(row[i]) for row in clean) for i in range(len(titles))]
    lines = (
        GAP.join(cell + " " * (size - width(cell)) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in clean
    )
    return "".join(f"{line}\n" for line in lines)


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """``Key:  value`` lines with the values aligned."""
    size = max((width(key) for key, _ in rows), default=0) + 1
    return "".join(f"{key + ':':<{size}}  {visible(value)}".rstrip() + "\n" for key, value in rows)


def width(text: str) -> int:
    """Terminal columns of a text: wide East Asian characters count two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def visible(text: str) -> str:
    """The text with control characters as ``\\xNN``: text from hosts and objects must not control the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" for c in text)


def visible_lines(text: str) -> str:
    """Like ``visible``, for a text of many lines: line ends and tabs stay."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))

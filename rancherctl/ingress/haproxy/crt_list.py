"""Lines of HAProxy's crt-list, and how they change while HAProxy runs. Pure.

A line gives names the certificate of one content. Changing the names of a line means adding another line and deleting
the old one. If two lines have the same name, the first one counts, so nothing is refused in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

MAX_NAMES: Final = 200
MAX_CHARS: Final = 6000
"""Of the names of one line: a command on HAProxy's socket has 8 KB."""
_LINE = re.compile(r"(?P<file>\S+?)(?::(?P<number>[0-9]+))? (?:\[[^]]*\] ?)?(?P<names>.*)")


@dataclass(frozen=True, slots=True)
class CrtLine:
    """``names`` (SNI) that get the certificate ``content``."""

    content: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CrtChange:
    """What to do, in this order: ``add`` lines, ``delete`` lines; ``lines`` is the result."""

    lines: tuple[CrtLine, ...]
    add: tuple[CrtLine, ...] = ()
    delete: tuple[CrtLine, ...] = ()

    @property
    def install(self) -> tuple[str, ...]:
        """Contents that must be loaded first."""
        kept = {line.content for line in self.lines if line not in self.add} | {line.content for line in self.delete}
        return tuple(sorted({line.content for line in self.add} - kept))

    @property
    def forget(self) -> tuple[str, ...]:
        """Contents that no line needs any more."""
        return tuple(sorted({line.content for line in self.delete} - {line.content for line in self.lines}))


NO_CHANGE: Final = CrtChange(())


def change(now: Iterable[CrtLine], names: Mapping[str, tuple[str, ...]]) -> CrtChange:
    """Get from these lines to ``names`` (name → contents). Lines stay as long as all their names do."""
    wanted = {(content, name) for name, contents in names.items() for content in contents}
    kept: list[CrtLine] = []
    delete: list[CrtLine] = []
    for line in now:
        pairs = {(line.content, name) for name in line.names}
        if pairs <= wanted:
            kept.append(line)
            wanted -= pairs
        else:
            delete.append(line)
    add = _lines(wanted)
    return CrtChange((*kept, *add), add, tuple(delete))


def _lines(pairs: Iterable[tuple[str, str]]) -> tuple[CrtLine, ...]:
    out: list[CrtLine] = []
    names: list[str] = []
    content = ""
    for each, name in [*sorted(pairs), ("", "")]:
        if names and (each != content or len(names) >= MAX_NAMES or sum(map(len, names)) > MAX_CHARS):
            out.append(CrtLine(content, tuple(names)))
            names = []
        content = each
        names.append(name)
    return tuple(out)


def parse(text: str) -> list[tuple[str, int, tuple[str, ...]]]:
    """(file, number, names) of each line of ``show ssl crt-list -n``."""
    out = []
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found and not line.startswith("#"):
            out.append((found["file"], int(found["number"] or 0), tuple(sorted(found["names"].split()))))
    return out

"""Lines of HAProxy's crt-list, and how they change while HAProxy runs. Pure.

A line gives names the certificate of one content, and options of TLS. Changing a line means adding another one and
deleting the old one. If two lines have the same name, the first one counts, so nothing is refused in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from rancherctl.ingress.options import NO_TLS_OPTIONS, TlsOptions

MAX_NAMES: Final = 200
MAX_CHARS: Final = 6000
"""Of the names of one line: a command on HAProxy's socket has 8 KB."""
_LINE = re.compile(r"(?P<file>\S+?)(?::(?P<number>[0-9]+))? (?:\[(?P<words>[^]]*)\] ?)?(?P<names>.*)")


@dataclass(frozen=True, slots=True)
class CrtLine:
    """``names`` (SNI) that get the certificate ``content`` with these ``options`` on an HTTPS ``port``.

    Port 0 is the default one.
    """

    content: str
    names: tuple[str, ...]
    options: TlsOptions = NO_TLS_OPTIONS
    port: int = 0

    @property
    def ids(self) -> list[str]:
        """The names as in TlsModel."""
        return [f"{name}:{self.port}" for name in self.names] if self.port else list(self.names)

    def to_json(self) -> list[Any]:
        """Plain values for the state file; default options are left out."""
        return [self.content, *([self.options.changed] if self.options.changed else []), *self.ids]

    @staticmethod
    def from_json(content: Any, *rest: Any) -> CrtLine:
        """Parse the values that ``to_json`` gave. Raises ValueError or TypeError for others."""
        given, ids = (rest[0], rest[1:]) if rest and isinstance(rest[0], dict) else ({}, rest)
        if not isinstance(content, str) or not content.isalnum() or not content.isascii():
            raise ValueError(f"not a content: {content!a}")
        names = [str(name).partition(":") for name in ids]
        port = int(names[0][2] or 0) if names else 0
        options = TlsOptions.from_json(given) if given else NO_TLS_OPTIONS
        return CrtLine(content, tuple(name for name, _, _ in names), options, port)


class ShownLine(NamedTuple):
    """A line as HAProxy shows it: ``words`` are its options, sorted, and so are ``names``. ``port`` as in CrtLine."""

    file: str
    words: tuple[str, ...]
    names: tuple[str, ...]
    port: int = 0


@dataclass(frozen=True, slots=True)
class CrtChange:
    """What to do, in this order: ``add`` lines, ``delete`` lines; ``lines`` is the result, added ones at its end."""

    lines: tuple[CrtLine, ...]
    add: tuple[CrtLine, ...] = ()
    delete: tuple[CrtLine, ...] = ()
    install: tuple[str, ...] = field(init=False)
    """Contents that must be loaded first."""
    forget: tuple[str, ...] = field(init=False)
    """Contents that no line needs any more."""

    def __post_init__(self) -> None:
        added, deleted = {line.content for line in self.add}, {line.content for line in self.delete}
        kept = {line.content for line in self.lines[: len(self.lines) - len(self.add)]} if added or deleted else set()
        object.__setattr__(self, "install", tuple(sorted(added - kept - deleted)))
        object.__setattr__(self, "forget", tuple(sorted(deleted - kept - added)))


NO_CHANGE: Final = CrtChange(())


def change(
    now: Iterable[CrtLine], names: Mapping[str, tuple[str, ...]], options: Mapping[str, TlsOptions]
) -> CrtChange:
    """Get from these lines to ``names`` (as in TlsModel → contents), some of them with ``options``.

    Lines stay as long as all their names do.
    """
    wanted = {(content, name) for name, contents in names.items() for content in contents}
    kept: list[CrtLine] = []
    delete: list[CrtLine] = []
    for line in now:
        ids = line.ids
        pairs = {(line.content, name) for name in ids}
        if pairs <= wanted and all(_same(options.get(name, NO_TLS_OPTIONS), line.options) for name in ids):
            kept.append(line)
            wanted -= pairs
        else:
            delete.append(line)
    add = _lines((content, options.get(name, NO_TLS_OPTIONS), name) for content, name in wanted)
    return CrtChange((*kept, *add), add, tuple(delete))


def _same(one: TlsOptions, other: TlsOptions) -> bool:
    return one is other or one == other  # mostly the first: every change asks for thousands of names


def _lines(wanted: Iterable[tuple[str, TlsOptions, str]]) -> tuple[CrtLine, ...]:
    """New lines for these contents, options and names, sorted."""
    out: list[CrtLine] = []
    lines: dict[tuple[str, TlsOptions, int], int] = {}
    for content, options, name_id in sorted(wanted, key=lambda each: (each[0], repr(each[1]), each[2])):
        name, _, number = name_id.partition(":")
        port = int(number or 0)
        last = lines.get((content, options, port))
        if last is not None and len(names := out[last].names) < MAX_NAMES and sum(map(len, names)) <= MAX_CHARS:
            out[last] = CrtLine(content, (*names, name), options, port)
            continue
        lines[content, options, port] = len(out)
        out.append(CrtLine(content, (name,), options, port))
    return tuple(out)


def parse(text: str) -> list[tuple[int, ShownLine]]:
    """The lines of ``show ssl crt-list -n`` with their numbers."""
    out = []
    for line in text.replace("\0", "").splitlines():  # HAProxy writes one after the list of ALPN
        found = _LINE.fullmatch(line.strip())
        if found and not line.startswith("#"):
            words, names = (tuple(sorted((found[part] or "").split())) for part in ("words", "names"))
            out.append((int(found["number"] or 0), ShownLine(found["file"], words, names)))
    return out

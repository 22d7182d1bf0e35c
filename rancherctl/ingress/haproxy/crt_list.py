"""Lines of HAProxy's crt-list, and how they change while HAProxy runs. Pure.

A line gives names the certificate of one content, and options of TLS. Changing a line means adding another one and
deleting the old one. If two lines have the same name, the first one counts, so nothing is refused in between.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from rancherctl.ingress.options import NO_TLS_OPTIONS, TlsOptions
from rancherctl.ingress.tls_model import NO_EXCLUSIONS, Exclusions

MAX_NAMES: Final = 200
MAX_CHARS: Final = 6000
"""Of the names of one line: a command on HAProxy's socket has 8 KB."""
NOT: Final = "!"
"""Before a name that a wildcard in the same line is not for."""
_LINE = re.compile(r"(?P<file>\S+?)(?::(?P<number>[0-9]+))? (?:\[(?P<words>[^]]*)\] ?)?(?P<names>.*)")


@dataclass(frozen=True, slots=True)
class CrtLine:
    """``names`` (SNI) that get the certificate ``content`` with these ``options`` on an HTTPS ``port``.

    Port 0 is the default one. ``excluded``: names that a wildcard in the line is not for.
    """

    content: str
    names: tuple[str, ...]
    options: TlsOptions = NO_TLS_OPTIONS
    port: int = 0
    excluded: tuple[str, ...] = ()

    @property
    def ids(self) -> list[str]:
        """The names as in TlsModel."""
        return self._ids(self.names)

    @property
    def excluded_ids(self) -> list[str]:
        """The excluded names as in TlsModel."""
        return self._ids(self.excluded)

    def _ids(self, names: Iterable[str]) -> list[str]:
        return [f"{name}:{self.port}" for name in names] if self.port else list(names)

    @property
    def filters(self) -> tuple[str, ...]:
        """The names as HAProxy reads them."""
        return (*self.names, *(NOT + name for name in self.excluded))

    @property
    def wild(self) -> bool:
        """Whether it has wildcards only."""
        return all(name.startswith("*.") for name in self.names)

    def to_json(self) -> list[Any]:
        """Plain values for the state file; default options are left out."""
        options = [self.options.changed] if self.options.changed else []
        return [self.content, *options, *self.ids, *(NOT + name for name in self.excluded_ids)]

    @staticmethod
    def from_json(content: Any, *rest: Any) -> CrtLine:
        """Parse the values that ``to_json`` gave. Raises ValueError or TypeError for others."""
        given, ids = (rest[0], rest[1:]) if rest and isinstance(rest[0], dict) else ({}, rest)
        if not isinstance(content, str) or not content.isalnum() or not content.isascii():
            raise ValueError(f"not a content: {content!a}")
        names = [str(name).partition(":") for name in ids]
        port = int(names[0][2] or 0) if names else 0
        options = TlsOptions.from_json(given) if given else NO_TLS_OPTIONS
        every = [name for name, _, _ in names]
        excluded = tuple(name.removeprefix(NOT) for name in every if name.startswith(NOT))
        return CrtLine(content, tuple(n for n in every if not n.startswith(NOT)), options, port, excluded)


class ShownLine(NamedTuple):
    """A line as HAProxy shows it: ``words`` are its options, sorted, and so are ``names``. ``port`` as in CrtLine."""

    file: str
    words: tuple[str, ...]
    names: tuple[str, ...]
    port: int = 0


@dataclass(frozen=True, slots=True)
class CrtChange:
    """What to do, in this order: ``add`` lines, ``delete`` lines; ``lines`` is the result, added ones at its end.

    Lines of wildcards are the last ones that are added, and the first ones that are deleted.
    """

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
    now: Iterable[CrtLine],
    names: Mapping[str, tuple[str, ...]],
    options: Mapping[str, TlsOptions],
    excluded: Exclusions = NO_EXCLUSIONS,
) -> CrtChange:
    """Get from these lines to ``names`` (as in TlsModel → contents), some of them with ``options``.

    Lines stay as long as all their names do. Precise names are added before wildcards that exclude them, and wildcards
    are deleted before precise names: a precise name is never shown the certificate of a wildcard in between.
    """
    wanted = {(content, name) for name, contents in names.items() for content in contents}
    kept: list[CrtLine] = []
    delete: list[CrtLine] = []
    for line in now:
        pairs = {(line.content, name) for name in line.ids}
        if pairs <= wanted and _fits(line, options, excluded):
            kept.append(line)
            wanted -= pairs
        else:
            delete.append(line)
    add = _lines(((content, options.get(name, NO_TLS_OPTIONS), name) for content, name in wanted), excluded)
    delete.sort(key=lambda line: not line.wild)
    return CrtChange((*kept, *add), add, tuple(delete))


def _fits(line: CrtLine, options: Mapping[str, TlsOptions], excluded: Exclusions) -> bool:
    """Whether a line says what is wanted about its names."""
    if excluded or line.excluded:
        own = [excluded[line.content, name] for name in line.ids if (line.content, name) in excluded]
        if (own and len(line.names) > 1) or [*itertools.chain(*own)] != line.excluded_ids:
            return False
    return all(_same(options.get(name, NO_TLS_OPTIONS), line.options) for name in line.ids)


def _same(one: TlsOptions, other: TlsOptions) -> bool:
    return one is other or one == other  # mostly the first: every change asks for thousands of names


def _lines(wanted: Iterable[tuple[str, TlsOptions, str]], excluded: Exclusions) -> tuple[CrtLine, ...]:
    """New lines for these contents, options and names, sorted. Wildcards in ``excluded`` have lines of their own."""
    out: list[CrtLine] = []
    lines: dict[tuple[str, TlsOptions, int], int] = {}
    for content, options, name_id in sorted(wanted, key=lambda each: (each[0], repr(each[1]), each[2])):
        name, _, number = name_id.partition(":")
        port = int(number or 0)
        if (others := excluded.get((content, name_id))) is not None:
            out.append(CrtLine(content, (name,), options, port, tuple(each.partition(":")[0] for each in others)))
            continue
        last = lines.get((content, options, port))
        if last is not None and len(names := out[last].names) < MAX_NAMES and sum(map(len, names)) <= MAX_CHARS:
            out[last] = CrtLine(content, (*names, name), options, port)
            continue
        lines[content, options, port] = len(out)
        out.append(CrtLine(content, (name,), options, port))
    return tuple(sorted(out, key=lambda line: line.wild))


def parse(text: str) -> list[tuple[int, ShownLine]]:
    """The lines of ``show ssl crt-list -n`` with their numbers."""
    out = []
    for line in text.replace("\0", "").splitlines():  # HAProxy writes one after the list of ALPN
        found = _LINE.fullmatch(line.strip())
        if found and not line.startswith("#"):
            words, names = (tuple(sorted((found[part] or "").split())) for part in ("words", "names"))
            out.append((int(found["number"] or 0), ShownLine(found["file"], words, names)))
    return out

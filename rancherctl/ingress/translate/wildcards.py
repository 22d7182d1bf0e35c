"""Names that the certificate of a wildcard must not be shown for. Pure.

HAProxy chooses a certificate by its kind of key (EC before RSA, if the client can use both) before it compares how
precise the names are. So the certificate of a wildcard excludes the precise names below it that have none with the same
kind of key: their certificates may be those of other Ingresses, and so may be the rules of their handshakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rancherctl.ingress.tls_model import Exclusions

MAX_CHARS: Final = 24_000
"""Of the names that one wildcard excludes: a command on HAProxy's socket has 32 KB."""
MAX_NAMES: Final = 1_000
"""That one wildcard excludes: HAProxy takes 2,048 words in a line."""


def exclusions(names: Mapping[str, tuple[str, ...]], kinds: Mapping[str, str]) -> tuple[Exclusions, frozenset[str]]:
    """Which names the certificates of wildcards exclude, and the names that are too many, the latest in ``names``.

    ``names`` as in TlsModel, ``kinds``: content → kind of its key. Wildcards with other certificates below them are in
    the result even if they exclude no name: they have a line of their own, and so a place in the order of changes.
    """
    wildcards = {name: contents for name, contents in names.items() if name.startswith("*.")}
    out: dict[tuple[str, str], list[str]] = {}
    too_many: set[str] = set()
    room = dict.fromkeys(wildcards, (MAX_NAMES, MAX_CHARS))
    for name, contents in names.items() if wildcards else ():
        parent = parent_of(name)
        others = wildcards.get(parent, ())
        if name in wildcards or contents == others:
            continue
        own = {kinds.get(content) for content in contents} - {None}
        different = [content for content in others if kinds.get(content) not in own]
        count, chars = room.get(parent, (0, 0))
        if different and (not count or chars < len(name)):
            too_many.add(name)
            continue
        if different:
            room[parent] = count - 1, chars - len(name) - 2
        for content in others:
            out.setdefault((content, parent), []).extend([name] if content in different else [])
    return {key: tuple(sorted(each)) for key, each in out.items()}, frozenset(too_many)


def parent_of(name: str) -> str:
    """The wildcard that is also for a name; both may have a port."""
    return f"*.{name.partition('.')[2]}"

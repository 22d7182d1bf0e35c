"""The index beside a bundle's .debs, in the format that apt reads. Pure: text in, values out.

Only the fields that decide what is installed are kept, in one order, so that equal packages give equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_KEPT: Final = (
    "Package", "Version", "Architecture", "Multi-Arch", "Essential", "Protected", "Priority", "Section", "Source",
    "Installed-Size", "Pre-Depends",
    "Depends", "Breaks", "Conflicts", "Replaces", "Provides",
)  # fmt: skip
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_VERSION = re.compile(r"(?:\d+:)?[0-9][A-Za-z0-9.+~-]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One package. ``file`` is its file name in the bundle, ``size`` in bytes, ``fields`` the _KEPT control fields."""

    name: str
    version: str
    architecture: str
    file: str
    sha256: str
    size: int
    fields: Mapping[str, str] = field(default_factory=dict)


def fields(text: str) -> dict[str, str]:
    """A stanza's fields; lines that go on are joined by a space."""
    out: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            if not name:
                raise ValueError(f"line {line[:60]!r} continues nothing")
            out[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or name in out:
            raise ValueError(f"line {line[:60]!r} is not a field")
        out[name] = value.strip()
    return out


def entry(control: str, sha256: str, size: int) -> Entry:
    """A .deb's control fields as an entry. The file is named as in Debian's archives, without the epoch. ValueError."""
    found = fields(control)
    name, version, architecture = (found.get(key, "") for key in ("Package", "Version", "Architecture"))
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version) or not re.fullmatch(r"[a-z0-9-]+", architecture):
        raise ValueError(f"says that it is package {name!r}, version {version!r}, architecture {architecture!r}")
    file = f"{name}_{version.rpartition(':')[2]}_{architecture}.deb"
    return Entry(name, version, architecture, file, sha256, size, {key: found[key] for key in _KEPT if key in found})


def render(entries: Iterable[Entry]) -> str:
    """The index, sorted by name."""
    return "\n".join(_stanza(one) for one in sorted(entries, key=lambda e: e.name))


def parse(text: str) -> tuple[Entry, ...]:
    """The entries of an index that ``render`` made. Raises ValueError."""
    out = []
    for stanza in text.split("\n\n"):
        found = fields(stanza.strip("\n"))
        try:
            one = entry(stanza.strip("\n"), found["SHA256"], int(found["Size"]))
        except KeyError as error:
            raise ValueError(f"{found.get('Package', 'a package')} has no {error.args[0]}") from error
        if found.get("Filename") != f"./{one.file}":
            raise ValueError(f"{one.name} names the file {found.get('Filename')!r}, not ./{one.file}")
        out.append(one)
    return tuple(out)


def _stanza(one: Entry) -> str:
    lines = [f"{key}: {one.fields[key]}" for key in _KEPT if key in one.fields]
    return "\n".join([*lines, f"Filename: ./{one.file}", f"Size: {one.size}", f"SHA256: {one.sha256}", ""])

"""The text of systemd unit files, and the sandbox of every unit that runs a rancherctl program on a host. Pure.

Any change of a text, also in a comment or in the order of lines, restarts the unit on every host during an upgrade.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

SANDBOX: Final = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "RestrictNamespaces=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
)
"""Lines of a [Service] section; each unit adds its capabilities, writable paths and address families."""
MULTI_USER: Final = ("Install", ("WantedBy=multi-user.target",))
"""The section of units that start at boot."""

Section = tuple[str, Iterable[str]]
"""Name and lines: ``Directive=value`` or ``# comment``."""


def unit_text(*sections: Section) -> str:
    """The text of a unit file. ValueError for a line with a line break, or that is neither directive nor comment."""
    return "\n".join("\n".join((f"[{name}]", *map(_checked, lines), "")) for name, lines in sections)


def continued(words: Iterable[str]) -> str:
    """A value of several words, one per line."""
    return " \\\n  ".join(words)


def _checked(line: str) -> str:
    whole = line.replace(" \\\n  ", " ")
    if any(c in whole for c in "\n\r\0") or not (line.startswith("#") or "=" in line):
        raise ValueError(f"not a line of a unit: {line!r}")
    return line

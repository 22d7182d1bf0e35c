"""Ask a host's apt what it would install from a package index, before anything is uploaded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rancherctl.hosts.remote_call import call
from rancherctl.hosts.transport import Transport

TIMEOUT = 180.0
"""Seconds; apt waits up to 120 for another process's lock."""
_INST = re.compile(r"Inst (?P<name>[^ :]+)(?::\S+)? (?:\[(?P<old>[^\]]+)\] )?\((?P<new>\S+)[ )]")


@dataclass(frozen=True, slots=True)
class Install:
    """A package that apt would install; ``old`` is the version it replaces ("" = none)."""

    name: str
    new: str
    old: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What apt would install, in its order; ``refused`` is the reason if it cannot."""

    installs: tuple[Install, ...] = ()
    refused: str = ""


def resolve(transport: Transport, index: str, names: Iterable[str]) -> Resolution:
    """Simulate installing ``names`` from ``index`` alone; changes nothing. HostStepError."""
    answer = call(transport, {"op": "resolve", "index": index, "names": sorted(names)}, timeout=TIMEOUT)
    return Resolution(parse(answer["lines"]), answer["refused"])


def parse(lines: Iterable[str]) -> tuple[Install, ...]:
    """Parse apt's ``Inst NAME [OLD] (NEW ORIGIN [ARCH])`` lines; ValueError for any other line. Pure."""
    found = []
    for line in lines:
        match = _INST.match(line)
        if match is None:
            raise ValueError(f"unexpected output of apt: {line[:100]!r}")
        found.append(Install(match["name"], match["new"], match["old"] or ""))
    return tuple(found)

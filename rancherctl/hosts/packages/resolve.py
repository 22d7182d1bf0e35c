"""Ask a host's apt what it would install out of an index, before anything is brought there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rancherctl.hosts.remote_call import call
from rancherctl.hosts.transport import Transport

TIMEOUT = 180.0
"""Seconds; apt waits up to 120 for the lock of others."""
_INST = re.compile(r"Inst (?P<name>[^ :]+)(?::\S+)? (?:\[(?P<old>[^\]]+)\] )?\((?P<new>\S+)[ )]")


@dataclass(frozen=True, slots=True)
class Install:
    """One package that apt would install; ``old`` is the version that it replaces ("" = none)."""

    name: str
    new: str
    old: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What apt would install, in its order; ``refused`` has its reasons where it would do nothing."""

    installs: tuple[Install, ...] = ()
    refused: str = ""


def resolve(transport: Transport, index: str, names: Iterable[str]) -> Resolution:
    """What installing ``names`` from ``index`` alone would do on the host. Changes nothing. HostStepError as ever."""
    answer = call(transport, {"op": "resolve", "index": index, "names": sorted(names)}, timeout=TIMEOUT)
    return Resolution(parse(answer["lines"]), answer["refused"])


def parse(lines: Iterable[str]) -> tuple[Install, ...]:
    """apt's ``Inst`` lines: ``Inst NAME [OLD] (NEW ORIGIN [ARCH])``. Raises ValueError for another line. Pure."""
    found = []
    for line in lines:
        match = _INST.match(line)
        if match is None:
            raise ValueError(f"apt said {line[:100]!r}, which is not understood")
        found.append(Install(match["name"], match["new"], match["old"] or ""))
    return tuple(found)

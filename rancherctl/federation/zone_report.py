"""What the federation's process stores about its public zone, for command lines: names, conflicts, orphans. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.federation.dns_state import DnsState, PublishedName
from rancherctl.federation.zone_plan import Finding

REPORT: Final = "dns-state"
"""The ConfigMap with the report."""
REQUESTS: Final = "dns-requests"
"""The ConfigMap in which command lines ask for something: name → ADOPT, zone → FORCE or RELEASE."""
ADOPT: Final = "adopt"
FORCE: Final = "delete-orphans"
RELEASE: Final = "delete-everything"
MAX_NAMES: Final = 4000
"""More names do not fit into a ConfigMap."""


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """``names``: at most MAX_NAMES of ``total``. ``problem``: why the zone is not as wanted, "" if it is.

    ``released``: nothing of this federation is in the zone any more, on request.
    """

    zone: str
    names: tuple[PublishedName, ...] = ()
    total: int = 0
    conflicts: tuple[Finding, ...] = ()
    orphans: tuple[Finding, ...] = ()
    pending: int = 0
    alarm: str = ""
    problem: str = ""
    hint: str = ""
    serial: int | None = None
    epoch: int = 0
    released: bool = False


def to_json(zone: str, state: DnsState) -> str:
    """The report of a state."""
    return json.dumps(
        {
            "zone": zone,
            "names": [[n.name, n.object, *n.records] for n in state.names[:MAX_NAMES]],
            "total": len(state.names),
            "conflicts": _listed(state.conflicts),
            "orphans": _listed(state.orphans),
            "pending": state.pending,
            "alarm": state.alarm,
            "problem": state.problem,
            "hint": state.hint,
            "serial": state.serial,
            "epoch": state.epoch,
            "released": state.released,
        },
        separators=(",", ":"),
    )


def from_json(text: str) -> ZoneReport:
    """Read a report. Raises ValueError."""
    content: Any = json.loads(text)
    try:
        return ZoneReport(
            str(content["zone"]),
            tuple(PublishedName(str(n), str(o), tuple(map(str, r))) for n, o, *r in content["names"]),
            int(content["total"]),
            _findings(content["conflicts"]),
            _findings(content["orphans"]),
            int(content["pending"]),
            str(content["alarm"]),
            str(content["problem"]),
            str(content["hint"]),
            None if content["serial"] is None else int(content["serial"]),
            int(content["epoch"]),
            bool(content.get("released")),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a report of a public zone: {error!r}") from error


def _listed(found: Iterable[Finding]) -> list[list[str]]:
    return [[f.name.removesuffix("."), f.object, f.why] for f in list(found)[:MAX_NAMES]]


def _findings(rows: Any) -> tuple[Finding, ...]:
    return tuple(Finding(str(name), str(owner), str(why)) for name, owner, why in rows)

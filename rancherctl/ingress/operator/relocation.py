"""What happens to the placement of all Ingresses if hosts are gone. Pure: the placement code of agents and leader."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rancherctl.ingress.operator.api_view import ApiView
from rancherctl.ingress.operator.overview import check_hosts, select
from rancherctl.placement.model import Placeable, Roster
from rancherctl.placement.place import place

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Relocation:
    """What changes, one row for each Ingress that changes; ``unchanged`` is the number of the others."""

    rows: tuple[Item, ...]
    unchanged: int


def without_hosts(view: ApiView, hosts: Collection[str], namespace: str = "") -> Relocation:
    """The placement of all Ingresses (in ``namespace``) without these hosts, compared with the present one.

    ``change`` of a row is ``moves`` (as many instances as now), ``fewer`` or ``unplaceable`` (none is left).
    """
    check_hosts(view.roster, hosts)
    after = replace(view.roster, hosts=tuple(h for h in view.roster.hosts if h.name not in hosts))
    chosen = select(view, namespace=namespace)
    rows = [_row(t.for_placement, view.ingresses[t.key].status, view.roster, after) for t in chosen]
    changed = tuple(row for row in rows if row["loses"] or row["gains"] or row["leaving"])
    return Relocation(changed, len(rows) - len(changed))


def _row(p: Placeable, published: Collection[str], now: Roster, after: Roster) -> Item:
    before, then = place(p, now), place(p, after)
    addresses: Mapping[str, str] = {h.name: h.address for h in now.hosts}
    gone = {h.address for h in now.hosts} - {h.address for h in after.hosts}
    loses = [name for name in before.hosts if name not in then.hosts]
    gains = [name for name in then.hosts if name not in before.hosts]
    namespace, _, name = p.key.partition("/")
    return {
        "namespace": namespace,
        "name": name,
        "change": "moves" if len(then.hosts) >= len(before.hosts) else "fewer" if then.hosts else "unplaceable",
        "wanted": p.options.wanted or "all",
        "before": list(before.hosts),
        "after": list(then.hosts),
        "loses": loses,
        "gains": gains,
        "leaving": sorted({address for address in published if address in gone}),
        "joining": [addresses[name] for name in gains],
        "reason": then.problems[0].reason if then.problems else "",
        "message": then.problems[0].message if then.problems else p.obstacle,
    }

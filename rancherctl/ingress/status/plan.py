"""What every Ingress's status should say, from placements, the roster and what hosts confirmed. Pure: memory and clock are passed in.

An address is added when its host confirmed the content as it is now; it stays while its host is alive, placed and still serves some
version of it (for ``LAG`` seconds at most); it leaves at once when the host is not alive or not placed any more, except while a
replacement has not confirmed yet. ``wanted`` in the annotation is also where the last good scale is remembered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from rancherctl.change import Plan, diff
from rancherctl.ingress.annotations.parse import published_status
from rancherctl.ingress.model import STATUS_ANNOTATION, Problem, Roster, RosterHost, Translated
from rancherctl.ingress.placement import Placement, exclusion
from rancherctl.ingress.role import desired
from rancherctl.ingress.role.desired import Previous, Tables
from rancherctl.ingress.translate import merge
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.kube.objects import Ingress, IngressClass

LAG = 5.0
QUIET = 2.0
MAX_MESSAGE = 1000
MAX_WORDS = 200_000
"""Characters of problems in one host's report: a ConfigMap takes a megabyte, and what is served must find room in it."""


@dataclass(frozen=True, slots=True)
class HostReport:
    """The ``lb`` section of one host's report: content hash by Ingress key, and problems of backends."""

    served: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    ports: Mapping[str, str] = field(default_factory=dict)


_SILENT = HostReport()
_PORT = re.compile(r"[1-9][0-9]{0,4}")
MAX_PORTS = 16
"""Blocked ports of one host that count: its report must not make the roster, which everybody reads, too big for the API."""


@dataclass(frozen=True, slots=True)
class Published:
    """One Ingress's status: sorted addresses, and the annotation's JSON ("" = none)."""

    addresses: tuple[str, ...]
    annotation: str


@dataclass(frozen=True, slots=True)
class Statuses:
    """Desired by Ingress key (only those that are or were ours), problems to tell by key, and the memory for the next call.

    ``ours`` are the uids of Ingresses whose status we answer for: also those that are ours no longer, as long as it holds something of ours.
    """

    desired: Mapping[str, Published]
    problems: Mapping[str, tuple[Problem, ...]]
    since: Mapping[str, float]
    ours: frozenset[str] = frozenset()

    def wake(self, now: float) -> float | None:
        """Seconds until time alone changes something; None if nothing waits."""
        return min(
            (
                max(0.05, start + limit - now)
                for start in self.since.values()
                for limit in (QUIET, LAG)
                if start + limit > now
            ),
            default=None,
        )


def section(data: Mapping[str, str]) -> Mapping[str, Any]:
    """The ``lb`` section in a report ConfigMap's data; {} for a host without the role, one that has not reported yet, and what is damaged."""
    try:
        found = json.loads(data.get("report", "{}"))["sections"]["lb"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def problem_words(problems: Mapping[str, tuple[Problem, ...]], room: int = MAX_WORDS) -> dict[str, list[list[Any]]]:
    """Problems by Ingress key as a section holds them, in the order of the keys, as many as ``room`` (characters) takes."""
    out: dict[str, list[list[Any]]] = {}
    for key, found in sorted(problems.items()):
        room -= sum(len(p.reason) + len(p.message) for p in found) + len(key)
        if room < 0:
            break
        out[key] = [[p.reason, p.message, p.serious] for p in found]
    return out


def report(section: Mapping[str, Any]) -> HostReport:
    """Read an ``lb`` section leniently: a damaged part is an empty part, which only withholds addresses."""
    served, told, ports = section.get("served"), section.get("problems"), section.get("ports")
    problems: dict[str, tuple[Problem, ...]] = {}
    for key, entries in told.items() if isinstance(told, dict) else ():
        if isinstance(entries, list):
            problems[str(key)] = tuple(
                Problem(str(e[0]), str(e[1]), bool(e[2])) for e in entries if isinstance(e, list) and len(e) == 3
            )
    return HostReport(
        served={str(k): str(v) for k, v in served.items()} if isinstance(served, dict) else {},
        problems=problems,
        ports={str(k): str(v) for k, v in ports.items()} if isinstance(ports, dict) else {},
    )


def blocked_ports(found: HostReport) -> tuple[int, ...]:
    """Ports of a host that something else occupies: for ``RosterHost.blocked``."""
    return tuple(sorted(int(p) for p, error in found.ports.items() if error and _PORT.fullmatch(p))[:MAX_PORTS])


@lru_cache(maxsize=4096)
def address_key(address: str) -> tuple[int, int, str]:
    """Sorts IPv4 by number, then IPv6, then names."""
    try:
        ip = ip_address(address)
    except ValueError:
        return (9, 0, address)
    return (ip.version, int(ip), "")


@dataclass(slots=True)
class _Judge:
    """One run over all Ingresses."""

    roster: Roster
    reports: Mapping[str, HostReport]
    before: Mapping[str, float]
    now: float
    since: dict[str, float] = field(default_factory=dict)
    live: dict[str, RosterHost] = field(init=False)

    def __post_init__(self) -> None:
        self.live = {h.name: h for h in self.roster.hosts if h.alive and h.lb and h.address}

    def waited(self, what: str) -> float:
        """Seconds since ``what`` began to hold without a break; 0 the first time."""
        self.since[what] = self.before.get(what, self.now)
        return self.now - self.since[what]

    def serves(self, host: str, t: Translated, *, published: bool) -> bool:
        """Whether ``host`` counts as serving ``t``: its present content, or for a short while an older one that was published."""
        have = self.reports.get(host, _SILENT).served.get(t.key)
        if have == t.hash:
            return True
        return have is not None and published and self.waited(f"lag {t.key} {host}") < LAG

    def addresses(
        self, t: Translated, placement: Placement, current: tuple[str, ...], peers: Iterable[str]
    ) -> tuple[str, ...]:
        """What to publish; see the module's text."""
        live = self.live
        late = [p for p in peers if p in live and t.key not in self.reports.get(p, _SILENT).served]
        hold = bool(late) and self.waited(f"peers {t.key}") < LAG
        out: list[str] = []
        for name in placement.hosts:
            published = live[name].address in current
            if self.serves(name, t, published=published) and (published or not hold):
                out.append(live[name].address)
        missing = placement.target - len(out)
        if missing > 0:
            out += self.stand_ins(t, placement, current)[:missing]
        return tuple(sorted(set(out), key=address_key))

    def stand_ins(self, t: Translated, placement: Placement, current: tuple[str, ...]) -> list[str]:
        """Published addresses of hosts that are no longer placed but able and still serving."""
        able = [
            h.address
            for h in self.live.values()
            if h.address in current
            and h.name not in placement.hosts
            and not exclusion(t, h)
            and self.serves(h.name, t, published=True)
        ]
        return sorted(able, key=address_key)


def statuses(
    ingresses: Mapping[str, Ingress],
    classes: Mapping[str, IngressClass],
    roster: Roster,
    reports: Mapping[str, HostReport],
    *,
    since: Mapping[str, float],
    now: float,
    ours: Collection[str] = (),
    cache: TranslationCache | None = None,
) -> Statuses:
    """Desired statuses of all Ingresses. ``since`` and ``ours`` are the last call's (empty at first), ``now`` a monotonic clock in seconds.

    An empty roster gives no statuses at all: nobody known is not the same as nobody there.
    """
    if not roster.hosts:
        return Statuses({}, {}, {}, frozenset(ours))
    cache = cache or TranslationCache()
    cluster = desired.build(Tables(ingresses, classes), roster, Previous(), cache, None, now)
    translated, merged, placements = cluster.translated, cluster.merged, cluster.placements
    hosts_of: dict[str, set[str]] = {}
    for key, t in translated.items():
        for pattern in t.hosts - {merge.ANY}:
            hosts_of.setdefault(pattern, set()).update(placements[key].hosts)
    judge = _Judge(roster, reports, since, now)
    wanted: dict[str, Published] = {}
    problems: dict[str, tuple[Problem, ...]] = {}
    for key, ingress in ingresses.items():
        if key not in translated:
            # The annotation may have gone in the same write as the class: `kubectl replace` leaves of an object what is in the file.
            if STATUS_ANNOTATION in ingress.meta.annotations or ingress.meta.uid in ours:
                wanted[key] = _given_up(ingress, roster)
            continue
        t, placement = translated[key], placements[key]
        peers = sorted(set().union(*(hosts_of[p] for p in t.hosts - {merge.ANY})) - set(placement.hosts))
        addresses = judge.addresses(t, placement, ingress.status, peers)
        problems[key] = _problems(t, placement, merged, reports)
        wanted[key] = Published(addresses, _annotation(ingress, t, placement, addresses, list(problems[key]), judge))
    answered = frozenset(
        ingresses[key].meta.uid for key, new in wanted.items() if new.annotation or new != _have(ingresses[key])
    )
    return Statuses(wanted, problems, judge.since, answered)


def _given_up(ingress: Ingress, roster: Roster) -> Published:
    """No longer ours, or being deleted: our addresses and the annotation go, what another controller wrote stays."""
    ours = {h.address for h in roster.hosts}
    return Published(tuple(a for a in ingress.status if a not in ours), "")


def _problems(
    t: Translated, placement: Placement, merged: merge.Merged, reports: Mapping[str, HostReport]
) -> tuple[Problem, ...]:
    from_hosts = [p for name in placement.hosts for p in reports.get(name, _SILENT).problems.get(t.key, ())]
    every = [*t.problems, *placement.problems, *merged.problems.get(t.key, ()), *from_hosts]
    return tuple(sorted(dict.fromkeys(every), key=lambda p: not p.serious))


def _annotation(
    ingress: Ingress,
    t: Translated,
    placement: Placement,
    addresses: tuple[str, ...],
    told: list[Problem],
    judge: _Judge,
) -> str:
    if len(addresses) < placement.target:
        text = f"{len(addresses)} of {placement.target} hosts serve it; waiting for {_missing(t, placement, judge)}"
        young = judge.waited(f"waiting {t.key}") < QUIET
        old = ingress.meta.annotations.get(STATUS_ANNOTATION, "")
        if (
            young
            and old
            and addresses == ingress.status
            and published_status(ingress.meta.annotations).get("hash") == t.hash
        ):
            return old
        told.insert(0, Problem("Waiting", text))
    message = "; ".join(p.message for p in told)
    value = {
        "reason": told[0].reason if told else "Served",
        "message": message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…",
        "wanted": t.wanted or placement.eligible,
        "published": len(addresses),
        "hash": t.hash,
    }
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _missing(t: Translated, placement: Placement, judge: _Judge) -> str:
    late = [name for name in placement.hosts if judge.reports.get(name, _SILENT).served.get(t.key) != t.hash]
    return (
        ", ".join(late[:5]) + (f" and {len(late) - 5} more" if len(late) > 5 else "")
        if late
        else "hosts of the same name"
    )


def _have(ingress: Ingress) -> Published:
    return Published(ingress.status, ingress.meta.annotations.get(STATUS_ANNOTATION, ""))


def _plain(ingress: Ingress, wanted: Published) -> bool:
    """Whether the addresses are all that its status says: a name beside an address would be used as well. Foreign ones may say more."""
    return not (ingress.status_says_more and wanted.annotation)


def plan(ingresses: Mapping[str, Ingress], wanted: Statuses) -> Plan[Published]:
    """What must be written: only Ingresses whose addresses or annotation differ, so a second plan after an apply is empty."""
    there = {key: (ingresses[key], new) for key, new in wanted.desired.items() if key in ingresses}
    have = {key: _have(i) if _plain(i, new) else Published(("", *i.status), "") for key, (i, new) in there.items()}
    return diff(have, {key: new for key, (_, new) in there.items()})

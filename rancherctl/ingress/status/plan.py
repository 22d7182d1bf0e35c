"""Decide the status of each load-balanced object from placements, the roster and reports. Pure.

An address is added when its host has confirmed the present content. It stays while the host is alive, chosen by
placement and still serves the object, an older content for at most OUTDATED_SECONDS. It leaves at once when the host is
not alive or no longer chosen, unless the replacement has not confirmed yet. A host whose agent computes hashes in
another way (another release, during an upgrade) says nothing about the content: its published addresses stay, new ones
are not added.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from rancherctl.change import Plan, diff
from rancherctl.ingress.annotations.status_annotation import decode_status, encode_status
from rancherctl.ingress.status.memory import Settled, StatusMemory
from rancherctl.ingress.status.report import HostReport
from rancherctl.net import address_key
from rancherctl.placement.model import ObjectProblem, Placeable, Roster, RosterHost
from rancherctl.placement.place import Placement, exclusion
from rancherctl.text import and_more

OUTDATED_SECONDS: Final = 5.0
"""How long a published host may serve an older content, and a new address wait for hosts with the same DNS name."""
RELOAD_SECONDS: Final = 25.0
"""The same for a host that says that the content waits for a reload, which may be delayed for some time."""
CERTIFICATE_SECONDS: Final = 15.0
"""How long a new address waits for the object's certificates: without them it answers plain requests only."""
QUIET_SECONDS: Final = 2.0
"""How long an object may wait for hosts before its annotation says so: most waits are shorter, and it costs a write."""
_LIMITS: Final = (QUIET_SECONDS, OUTDATED_SECONDS, CERTIFICATE_SECONDS, RELOAD_SECONDS)
MAX_MESSAGE: Final = 1000
NO_REPORT: Final = HostReport()


@dataclass(frozen=True, slots=True)
class Published:
    """One object's status: sorted addresses, and the text of the status annotation ("" = none).

    ``ports`` stand beside each address; () = none.
    """

    addresses: tuple[str, ...]
    annotation: str
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """The status of one object as it is in the API.

    ``says_more``: its entries have more than the addresses (a name beside an address).
    """

    uid: str
    published: Published
    says_more: bool = False


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """One object that needs a status, its placement, and the problems known without asking hosts.

    ``certificates`` is the digest that a host reports when it has the object's certificates; "" if there are none.
    ``ports`` are those to publish with its addresses: none if they are the default ones.
    """

    placeable: Placeable
    placement: Placement
    problems: tuple[ObjectProblem, ...] = ()
    certificates: str = ""
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Statuses:
    """Desired statuses and problems of objects that are or were managed, and what the next call needs.

    ``since`` are start times of waits. ``managed`` are uids of objects whose status we write or must clear.
    """

    desired: Mapping[str, Published]
    problems: Mapping[str, tuple[ObjectProblem, ...]]
    since: Mapping[str, float]
    managed: frozenset[str] = frozenset()

    def next_change(self, now: float) -> float | None:
        """Seconds until time alone changes a decision; None if nothing waits."""
        ends = (start + limit for start in self.since.values() for limit in _LIMITS)
        return min((max(0.05, end - now) for end in ends if end > now), default=None)


@dataclass(slots=True)
class _Planner:
    """One pass over all objects."""

    roster: Roster
    reports: Mapping[str, HostReport]
    hash_scheme: int
    before: Mapping[str, float]
    now: float
    since: dict[str, float] = field(default_factory=dict)
    complete: bool = True
    """Whether the chosen hosts alone serve the last object."""
    usable: dict[str, RosterHost] = field(init=False)

    def __post_init__(self) -> None:
        self.usable = {h.name: h for h in self.roster.hosts if h.alive and h.lb and h.address}

    def waited(self, condition: str) -> float:
        """Seconds for which ``condition`` has lasted without a break; 0 the first time."""
        self.since[condition] = self.before.get(condition, self.now)
        return self.now - self.since[condition]

    def serves(self, host: str, p: Placeable, *, published: bool) -> bool:
        """Whether ``host`` counts as serving ``p``, given that its address is ``published`` now."""
        report = self.reports.get(host, NO_REPORT)
        confirmed = report.served.get(p.key)
        if confirmed is None:
            return False
        if report.hash_scheme != self.hash_scheme:
            return published
        limit = RELOAD_SECONDS if p.key in report.waiting else OUTDATED_SECONDS
        return confirmed == p.hash or (published and self.waited(f"outdated {p.key} {host}") < limit)

    def decide(
        self, wanted: StatusRequest, current: Published, inputs: tuple[object, ...], *, late: bool
    ) -> Settled[Published]:
        """The status and the problems of one object."""
        addresses = self.addresses(wanted, current.addresses, late=late)
        problems = self.problems(wanted)
        annotation = self.annotation(wanted, current, addresses, problems)
        return Settled(inputs, Published(addresses, annotation, wanted.ports if addresses else ()), problems)

    def late(self, p: Placeable, peers: Iterable[str]) -> bool:
        """Whether one of the ``peers``, hosts of other objects that share a DNS name with this one, lacks it."""
        return any(h in self.usable and p.key not in self.reports.get(h, NO_REPORT).served for h in peers)

    def inputs(self, wanted: StatusRequest, current: Published, *, late: bool) -> tuple[object, ...]:
        """Everything that a decision which waits for nothing is made from, beside the roster."""
        p, placement = wanted.placeable, wanted.placement
        out: list[object] = [p, placement, wanted.problems, wanted.certificates, wanted.ports, current, late]
        for name in placement.hosts:
            r = self.reports.get(name, NO_REPORT)
            out += (r.hash_scheme, r.served.get(p.key), r.problems.get(p.key), r.certificates.get(p.key))
        return tuple(out)

    def addresses(self, wanted: StatusRequest, current: tuple[str, ...], *, late: bool) -> tuple[str, ...]:
        """The addresses to publish."""
        p, placement = wanted.placeable, wanted.placement
        hold = late and self.waited(f"peers {p.key}") < OUTDATED_SECONDS
        out: list[str] = []
        for name in placement.hosts:
            published = self.usable[name].address in current
            if not self.serves(name, p, published=published):
                continue
            if published or not (hold or self.lacks_certificates(name, wanted)):
                out.append(self.usable[name].address)
        missing = placement.target - len(out)
        self.complete = missing <= 0
        if missing > 0:
            out += self.stand_ins(p, placement, current)[:missing]
        return tuple(sorted(set(out), key=address_key))

    def lacks_certificates(self, host: str, wanted: StatusRequest) -> bool:
        """Whether a new address must wait until ``host`` has the object's certificates. A rotation withdraws none."""
        if not wanted.certificates:
            return False
        has = self.reports.get(host, NO_REPORT).certificates.get(wanted.placeable.key, "")
        return (
            has != wanted.certificates
            and self.waited(f"certificates {wanted.placeable.key} {host}") < CERTIFICATE_SECONDS
        )

    def stand_ins(self, p: Placeable, placement: Placement, current: tuple[str, ...]) -> list[str]:
        """Published addresses of hosts that placement no longer chooses, but that still serve.

        They are eligible hosts, hosts that are being drained, and for OUTDATED_SECONDS hosts that have just been
        excluded: so that clients have an address until the next host confirms.
        """
        found = [
            h.address
            for h in self.usable.values()
            if h.address in current
            and h.name not in placement.hosts
            and not exclusion(p, replace(h, excluded=False, draining=0))
            and (not h.excluded or h.draining or self.waited(f"excluded {p.key} {h.name}") < OUTDATED_SECONDS)
            and self.serves(h.name, p, published=True)
        ]
        return sorted(found, key=address_key)

    def problems(self, wanted: StatusRequest) -> tuple[ObjectProblem, ...]:
        """All problems of an object, serious ones first, each once."""
        reports = (self.reports.get(name, NO_REPORT) for name in wanted.placement.hosts)
        from_hosts = [p for report in reports for p in report.problems.get(wanted.placeable.key, ())]
        every = dict.fromkeys([*wanted.problems, *wanted.placement.problems, *from_hosts])
        return tuple(sorted(every, key=lambda p: not p.serious))

    def annotation(
        self, wanted: StatusRequest, stored: Published, addresses: tuple[str, ...], known: Iterable[ObjectProblem]
    ) -> str:
        """The text of the status annotation. A wait that has just begun leaves the stored text as it is."""
        p, placement, problems = wanted.placeable, wanted.placement, list(known)
        if len(addresses) < placement.target:
            just_begun = self.waited(f"waiting {p.key}") < QUIET_SECONDS
            old = stored.annotation
            if just_begun and old and addresses == stored.addresses and decode_status(old).get("hash") == p.hash:
                return old
            missing = self.missing(wanted, addresses)
            text = f"{len(addresses)} of {placement.target} hosts serve it; waiting for {missing}"
            problems.insert(0, ObjectProblem("Waiting", text))
        message = "; ".join(problem.message for problem in problems)
        return encode_status(
            problems[0].reason if problems else "Served",
            message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…",
            wanted=p.options.wanted or placement.eligible,
            published=len(addresses),
            content=p.hash,
        )

    def missing(self, wanted: StatusRequest, addresses: tuple[str, ...]) -> str:
        """The chosen hosts that have not confirmed the content yet."""
        late: list[str] = []
        for name in wanted.placement.hosts:
            report = self.reports.get(name, NO_REPORT)
            if self.usable[name].address in addresses:
                continue
            if report.served and report.hash_scheme != self.hash_scheme:
                late.append(f"{name} (its agent runs another release)")
            elif report.served.get(wanted.placeable.key) != wanted.placeable.hash:
                late.append(name)
            elif wanted.certificates and report.certificates.get(wanted.placeable.key) != wanted.certificates:
                late.append(f"{name} (its certificates)")
        return and_more(late) or "the hosts that serve the same DNS name"


def plan_statuses(
    stored: Mapping[str, Stored],
    requests: Mapping[str, StatusRequest],
    roster: Roster,
    reports: Mapping[str, HostReport],
    *,
    hash_scheme: int,
    since: Mapping[str, float],
    now: float,
    managed: Collection[str] = (),
    memory: StatusMemory[Published] | None = None,
) -> Statuses:
    """Desired statuses of all objects in ``stored``; ``requests`` are those that hosts are to serve.

    ``hash_scheme`` is how the hashes in ``requests`` were computed. ``since`` and ``managed`` come from the last call
    (empty at first), ``now`` is a monotonic clock in seconds. An empty roster gives no statuses at all: it is not known
    who could serve. ``memory`` is kept by the caller between calls.
    """
    if not roster.hosts:
        return Statuses({}, {}, {}, frozenset(managed))
    hosts_by_name: dict[str, set[str]] = {}
    for wanted in requests.values():
        for name in wanted.placeable.shared_names:
            hosts_by_name.setdefault(name, set()).update(wanted.placement.hosts)
    planner = _Planner(roster, reports, hash_scheme, since, now)
    memory = memory or StatusMemory()
    known = memory.begin(roster, hash_scheme)
    ours = {h.address for h in roster.hosts}
    out: dict[str, Published] = {}
    problems: dict[str, tuple[ObjectProblem, ...]] = {}
    for key, old in stored.items():
        each = requests.get(key)
        if each is None:
            # Not managed any more, or being deleted: addresses of our hosts and the annotation go, foreign addresses
            # stay. The annotation may have vanished in the same write as the class: `kubectl replace` keeps only what
            # is in the file.
            if old.published.annotation or old.uid in managed:
                foreign = tuple(a for a in old.published.addresses if a not in ours)
                out[key] = Published(foreign, "", old.published.ports if foreign else ())
            continue
        peers = {host for name in each.placeable.shared_names for host in hosts_by_name[name]}
        peers.difference_update(each.placement.hosts)
        late = planner.late(each.placeable, peers)
        inputs = planner.inputs(each, old.published, late=late)
        settled, waits, planner.complete = known.get(key), len(planner.since), True
        if settled is None or settled.inputs != inputs:
            settled = planner.decide(each, old.published, inputs, late=late)
        if planner.complete and len(planner.since) == waits:
            memory.settled[key] = settled
        out[key], problems[key] = settled.status, settled.problems
    still = (stored[key].uid for key, new in out.items() if new.annotation or new != stored[key].published)
    return Statuses(out, problems, planner.since, frozenset(still))


def plan_writes(stored: Mapping[str, Stored], statuses: Statuses) -> Plan[Published]:
    """The objects whose addresses or annotation differ: a second plan after an apply is empty."""
    known = ((key, stored[key], new) for key, new in statuses.desired.items() if key in stored)
    compared = ((key, _comparable(old, new), new) for key, old, new in known)
    differing = [(key, old, new) for key, old, new in compared if old != new]
    return diff({key: old for key, old, _ in differing}, {key: new for key, _, new in differing})


def _comparable(old: Stored, new: Published) -> Published:
    """What is stored; unequal to any status if names stand beside our addresses: DNS would use them."""
    if old.says_more and new.annotation:
        return Published(("", *old.published.addresses), "")
    return old.published

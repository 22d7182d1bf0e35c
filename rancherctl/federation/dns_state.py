"""What the publisher says about the public names: by Service, and about the zone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rancherctl.federation.conditions import DNS, Condition
from rancherctl.federation.ownership import NameState
from rancherctl.federation.records import DnsPhase, ServiceDns, object_of
from rancherctl.federation.zone_plan import Finding
from rancherctl.text import and_more, plural


@dataclass(frozen=True, slots=True)
class PublishedName:
    """A name of the federation in its zone; ``object`` is ``service/namespace/name``, ``records``: ``TYPE data …``."""

    name: str
    object: str
    records: tuple[str, ...]


def published_name(name: str, state: NameState) -> PublishedName:
    """What the federation has at an absolute name that it owns."""
    return PublishedName(
        name.removesuffix("."),
        state.marker.object if state.marker else "",
        tuple(f"{s.type} {' '.join(s.rdatas)}" for s in state.sets),
    )


@dataclass(frozen=True, slots=True)
class DnsState:
    """The zone as the publisher last knew it.

    ``read``: the zone was read since this process leads. ``problem`` and ``hint``: why the wish is not in the zone yet
    (one line each), "" if it is. ``pending``: number of names that still differ from the wish. ``present``: objects
    with names in the zone. ``tombstones``: objects whose names go as soon as the provider allows it. ``epoch`` is 0
    before the zone marker was written. ``serial``: of the last read, None if the provider has none. ``released``: all
    names and the zone marker were deleted, because the federation is removed.
    """

    services: Mapping[str, ServiceDns] = field(default_factory=dict)
    conflicts: tuple[Finding, ...] = ()
    orphans: tuple[Finding, ...] = ()
    alarm: str = ""
    problem: str = ""
    hint: str = ""
    pending: int = 0
    read: bool = False
    serial: int | None = None
    epoch: int = 0
    present: frozenset[str] = frozenset()
    tombstones: frozenset[str] = frozenset()
    names: tuple[PublishedName, ...] = ()
    released: bool = False

    def settled(self, key: str) -> bool:
        """Whether the object may go: the zone has none of its names, or its tombstone is saved."""
        target = object_of(key)
        return target in self.tombstones or (self.read and target not in self.present)

    def condition(self, key: str) -> Condition:
        """The condition DNS of a Service."""
        service, target = self.services.get(key), object_of(key)
        if service is None:
            return Condition(DNS, "False", "Pending", self.problem or "the public zone has not been read yet")
        if conflicts := [f for f in self.conflicts if f.object == target]:
            listed = [f"{f.name.removesuffix('.')} {f.why}" for f in conflicts]
            return Condition(DNS, "False", "Conflict", and_more(listed, shown=2, separator="; "))
        if service.phase is not DnsPhase.PUBLISHED:
            return Condition(DNS, "False", str(service.phase), _none(service))
        if self.problem and self.pending:
            return Condition(DNS, "False", "ProviderFailed", self.problem)
        if service.problems:
            return Condition(DNS, "False", "NameRefused", and_more(service.problems, shown=2, separator="; "))
        return Condition(
            DNS,
            "True",
            "Published",
            f"{service.name.removesuffix('.')} has {plural(len(service.published), 'address', 'addresses')}",
        )


def _none(service: ServiceDns) -> str:
    """Why a Service has no healthy shard, and what became of its names."""
    reasons = and_more(
        [f"{address}: {why}" for address, why in sorted(service.withheld.items())], shown=3, separator="; "
    )
    what = {
        DnsPhase.KEPT: f"no healthy shard, still published: {and_more(service.published)}",
        DnsPhase.REMOVED: "no healthy shard, so its names have no records",
    }.get(service.phase, "no shard has been healthy yet, so there is nothing to publish")
    return f"{what} ({reasons})" if reasons else what

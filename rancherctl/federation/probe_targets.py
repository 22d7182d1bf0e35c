"""What is probed: the addresses of shards and Services' own checks, and which vantage points probe them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.federation.model import FederatedService, ShardAddress
from rancherctl.text import short_digest

PERIOD: Final = 2.0
"""Seconds between two probes of a target."""
PLACES_PER_TARGET: Final = 3
"""Members that probe a target, beside the leader."""
MAX_RATE: Final = 500
"""Connections a second of one vantage point; more targets are probed less often."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is probed: a TCP connect, and an HTTP request for ``path`` if there is one. ``members`` publish it."""

    key: str
    address: str
    port: int
    path: str = ""
    members: frozenset[str] = frozenset()

    def to_json(self) -> list[Any]:
        """Without members."""
        return [self.key, self.address, self.port, self.path]

    @classmethod
    def from_json(cls, value: Any) -> Target:
        """Raises ValueError."""
        if not (isinstance(value, list) and len(value) == 4 and isinstance(value[2], int)):
            raise ValueError("not a target")
        key, address, port, path = value
        return cls(str(key), str(address), port, str(path))


def verdict_keys(service: FederatedService, address: ShardAddress) -> tuple[str, ...]:
    """The verdicts that concern an address of a Service: the address's, and that of the Service's own check."""
    own = _own_check(service, address)
    return (address.address, own.key) if own else (address.address,)


def _own_check(service: FederatedService, address: ShardAddress) -> Target | None:
    check = service.health_check
    if check is None or not address.ports:
        return None
    port = min(address.ports)
    if check == "tcp":
        return Target(f"{address.address} tcp:{port}", address.address, port)
    if check.startswith("http:/"):
        path = check.removeprefix("http:")
        return Target(f"{address.address} http:{port}{path}", address.address, port, path)
    return None


@dataclass(frozen=True, slots=True)
class Footprint:
    """What of a Service is probed; Services on the same hosts have equal ones.

    ``addresses``: member, address, and the lowest TCP port in use there (0: none). ``checks``: of its own.
    """

    addresses: frozenset[tuple[str, str, int]]
    checks: frozenset[Target] = frozenset()

    @classmethod
    def of(cls, service: FederatedService) -> Footprint:
        """That of one Service."""
        pairs = [(shard.member, address) for shard in service.shards for address in shard.addresses]
        found = frozenset((member, a.address, min(a.ports, default=0)) for member, a in pairs)
        return cls(found, frozenset(check for _, a in pairs if (check := _own_check(service, a))))


class Footprints:
    """The different footprints of Services; those of Services that have not changed are remembered."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[FederatedService, Footprint]] = {}

    def of(self, services: Iterable[FederatedService]) -> set[Footprint]:
        """Of all these Services."""
        known: dict[str, tuple[FederatedService, Footprint]] = {}
        for service in services:
            key = f"{service.namespace}/{service.name}"
            before = self._known.get(key)
            same = before is not None and before[0] is service
            known[key] = before if before is not None and same else (service, Footprint.of(service))
        self._known = known
        return {footprint for _, footprint in known.values()}


def targets(footprints: Iterable[Footprint]) -> dict[str, Target]:
    """The distinct addresses with one TCP port in use there (the lowest), and own checks, by key."""
    ports: dict[str, int] = {}
    members: dict[str, set[str]] = {}
    own: dict[str, Target] = {}
    for footprint in footprints:
        for member, address, port in footprint.addresses:
            if port:
                ports[address] = min(port, ports.get(address, port))
                members.setdefault(address, set()).add(member)
        own |= {check.key: check for check in footprint.checks}
    found = {a: Target(a, a, port, "", frozenset(members[a])) for a, port in ports.items()}
    more = {k: Target(k, t.address, t.port, t.path, frozenset(members[t.address])) for k, t in own.items()}
    return {**found, **more}


def addresses_by_member(footprints: Iterable[Footprint]) -> dict[str, set[str]]:
    """All addresses of shards, also those without a TCP port."""
    found: dict[str, set[str]] = {}
    for footprint in footprints:
        for member, address, _ in footprint.addresses:
            found.setdefault(member, set()).add(address)
    return found


def assigned(found: Iterable[Target], places: Collection[str]) -> dict[str, list[Target]]:
    """Member → the targets that it probes: each target by PLACES_PER_TARGET members, never by one that has it.

    A member's own addresses always answer there, because kube-proxy takes a short cut.
    """
    out: dict[str, list[Target]] = {place: [] for place in places}
    for target in found:
        others = [place for place in places if place not in target.members]
        others.sort(key=lambda place, key=target.key: short_digest(f"{key} {place}", 16))  # type: ignore[misc]
        for place in others[:PLACES_PER_TARGET]:
            out[place].append(target)
    return out


def period(count: int) -> float:
    """Seconds between two rounds of ``count`` probes."""
    return max(PERIOD, count / MAX_RATE)

"""Federated Services and a DNS provider with faults, for tests of the public DNS."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rancherctl.dns.model import RecordSet
from rancherctl.errors import UnreachableError
from rancherctl.federation.model import FederatedService, FederationSettings, Place, Shard, ShardAddress
from rancherctl.federation.ownership import NameState, ZoneView
from rancherctl.federation.providers.base import Capabilities, Fence, NameChange, Outcome, Result, ZoneInfo
from rancherctl.federation.providers.memory import MemoryProvider, MemoryZones

SETTINGS = FederationSettings("acme", "f00d", "acme.example", "memory")
OWNER = "acme/f00d"
EU_A, EU_B = Place("eu", "a"), Place("eu", "b")


def shard(member: str, *addresses: str, place: Place = EU_A, **fields: object) -> Shard:
    """A shard whose addresses are all in one place."""
    return Shard(member, place, tuple(ShardAddress(a, place, (80,)) for a in addresses), **fields)  # type: ignore[arg-type]


def service(name: str, *shards: Shard, **fields: object) -> FederatedService:
    """A Service of the namespace default."""
    base = {"uid": f"uid-{name}", "created": "2026-11-01T00:00:00Z"}
    return FederatedService("default", name, **{**base, **fields}, shards=shards)  # type: ignore[arg-type]


def lines(content: Mapping[tuple[str, str], RecordSet], *, markers: bool = False) -> list[str]:
    """``name TYPE rdata rdata`` of each set of a zone in memory, sorted; without the final dot of names."""
    return sorted(
        f"{s.name.removesuffix('.')} {s.type} {' '.join(s.rdatas)}"
        for s in content.values()
        if markers or not s.name.startswith("_rancherctl")
    )


class FaultyProvider(MemoryProvider):
    """A provider in memory; ``faults`` are used up one by one, by the calls that they concern.

    ``away``: no call is answered. ``refuse``: a write changes nothing. ``lost``: a write changes nothing and is not
    answered. ``done-unknown``: a write is carried out, but not answered. ``stale``: a read returns what the previous
    read returned.
    """

    def __init__(self, zones: MemoryZones, zone: str, *, capabilities: Capabilities | None = None) -> None:
        super().__init__(zones, zone, capabilities=capabilities)
        self.faults: list[str] = []
        self.writes: list[tuple[NameChange, ...]] = []
        self._last: ZoneView | None = None

    def _fault(self, *kinds: str) -> str:
        if self.faults and self.faults[0] in kinds:
            return self.faults.pop(0)
        return ""

    def info(self) -> ZoneInfo:
        if self._fault("away"):
            raise UnreachableError("DNS server 192.0.2.53 does not answer", hint="check that it runs")
        return super().info()

    def read(self, fence: str, names: Collection[str]) -> ZoneView:
        fault = self._fault("away", "stale")
        if fault == "away":
            raise UnreachableError("DNS server 192.0.2.53 does not answer", hint="check that it runs")
        if fault == "stale" and self._last is not None:
            return self._last
        self._last = super().read(fence, names)
        return self._last

    def look(self, names: Collection[str]) -> Mapping[str, NameState]:
        if self._fault("away"):
            raise UnreachableError("DNS server 192.0.2.53 does not answer", hint="check that it runs")
        return super().look(names)

    def claim(self, name: str, seen: tuple[str, ...], text: str) -> Result:
        return self._write(lambda: super(FaultyProvider, self).claim(name, seen, text), lambda r: r)

    def apply(self, changes: Sequence[NameChange], fence: Fence) -> Mapping[str, Result]:
        self.writes.append(tuple(changes))
        return self._write(
            lambda: super(FaultyProvider, self).apply(changes, fence),
            lambda r: dict.fromkeys((c.key for c in changes), r),
        )

    def _write(self, done, every):
        match self._fault("away", "refuse", "lost", "done-unknown"):
            case "away" | "refuse":
                return every(Result(Outcome.REFUSED, "the server refuses updates"))
            case "lost":
                return every(Result(Outcome.UNKNOWN, "no answer within 5 s"))
            case "done-unknown":
                done()
                return every(Result(Outcome.UNKNOWN, "no answer within 5 s"))
        return done()

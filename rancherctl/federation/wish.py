"""What is wanted of a public zone, and how that becomes record sets with what was seen before. Time is passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rancherctl.federation import records
from rancherctl.federation.known_zone import KnownZone
from rancherctl.federation.model import FederatedService, FederationSettings, Place, Verdict
from rancherctl.federation.records import Context, Desired, object_of


@dataclass(frozen=True, slots=True)
class Wish:
    """See ``DnsPublisher.want``; ``gone`` are objects as markers name them."""

    services: tuple[FederatedService, ...]
    verdicts: Mapping[str, Verdict]
    places: tuple[Place, ...] = ()
    gone: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    settled: bool = True

    def there(self) -> frozenset[str]:
        """The objects that are there and stay."""
        return frozenset(object_of(service.key) for service in self.services) - self.gone

    def has_shards(self) -> bool:
        """Whether any member has a part of any Service."""
        return any(service.shards for service in self.services)


class WishMemory:
    """Remembers which member had an address, since when a Service has no shard, and what the last wish became."""

    def __init__(self, settings: FederationSettings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._none_since: dict[str, float] = {}
        self._member_of: dict[str, str] = {}
        self._memo = records.Memo()

    def desired(self, wish: Wish, zone: KnownZone, ttl: int) -> Desired:
        """The wish as record sets; ``ttl`` in seconds."""
        now = self._clock()
        for service in wish.services:
            for shard in service.shards:
                for address in shard.addresses:
                    if shard.member not in wish.left or address.address not in self._member_of:
                        self._member_of[address.address] = shard.member
        forgotten = frozenset(a for a, m in self._member_of.items() if m in wish.left)
        context = Context(wish.places, zone.of_object, forgotten, self._none_since, now, wish.gone)
        found = records.desired(wish.services, self._settings, wish.verdicts, context, ttl=ttl, memo=self._memo)
        self._none_since = {key: self._none_since.get(key, now) for key in found.none}
        return found

"""PublicDns: the public names of a federation and the health of its members' addresses, as the Hub uses them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from rancherctl.federation import status
from rancherctl.federation.cluster import Condition
from rancherctl.federation.dns_state import DnsState
from rancherctl.federation.inventory import InventoryStore
from rancherctl.federation.model import FederatedService, FederationSettings, Place, Verdict
from rancherctl.federation.providers.base import DnsProvider
from rancherctl.federation.publisher import DnsPublisher
from rancherctl.federation.status import DnsPart


class PublicDns:
    """Satisfies ``public_names.Names``. ``clock``: monotonic seconds; ``changed``: asks the Hub for another call."""

    def __init__(
        self,
        settings: FederationSettings,
        provider: DnsProvider,
        store: InventoryStore,
        *,
        gate: Callable[[], object],
        changed: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._settings, self._clock = settings, clock
        self.publisher = DnsPublisher(settings, provider, gate=gate, store=store, on_change=changed, clock=clock)
        self._verdicts: Mapping[str, Verdict] = {}
        self._addresses: dict[str, set[str]] = {}
        self._unpublished: dict[str, float] = {}
        self._started = False

    def want(
        self,
        services: Sequence[FederatedService],
        /,
        *,
        places: Iterable[Place] = (),
        gone: Collection[str] = (),
        left: Collection[str] = (),
        settled: bool = True,
    ) -> None:
        """See ``DnsPublisher.want``; begins with the first call."""
        found: dict[str, set[str]] = {}
        for service in services:
            for shard in service.shards:
                found.setdefault(shard.member, set()).update(a.address for a in shard.addresses)
        for member in left:
            found[member] = found.get(member, set()) | self._addresses.get(member, set())
        self._addresses = found
        self.publisher.want(services, self._verdicts, places=places, gone=gone, left=left, settled=settled)
        if not self._started:
            self._started = True
            self.publisher.start()

    def stop(self) -> None:
        """End the thread; the names stay."""
        if self._started:
            self.publisher.stop(1.0)

    def dns(self) -> Mapping[str, DnsPart]:
        """By ``namespace/name``: what is published and withheld."""
        state = self.publisher.state()
        return {key: _part(state, key) for key in state.services}

    def withdrawn(self) -> frozenset[str]:
        """Addresses that are judged dead."""
        return frozenset(a for a, verdict in self._verdicts.items() if verdict.withdrawn)

    def settled(self, key: str, /) -> bool:
        """Whether the object may go: it has no names any more, or its tombstone is saved."""
        return self.publisher.state().settled(key)

    def gone(self, member: str, /) -> bool:
        """Whether no name leads to the member any more, and the TTL has passed since."""
        state, now = self.publisher.state(), self._clock()
        published = {a for service in state.services.values() for a in service.published}
        if not state.read or state.pending or published & self._addresses.get(member, set()):
            self._unpublished.pop(member, None)
            return False
        return now - self._unpublished.setdefault(member, now) >= self._settings.ttl

    def serving(self, _member: str, /) -> Condition:
        """Unknown: no vantage point checks addresses yet."""
        return Condition("Serving", "Unknown", "NotChecked", "no vantage point has reported on its addresses yet")


def _part(state: DnsState, key: str) -> DnsPart:
    service, found = state.services[key], state.condition(key)
    condition = status.Condition(status.DNS, "True" if found.status else "False", found.reason, found.message)
    return DnsPart(condition, len(service.published), service.withheld)

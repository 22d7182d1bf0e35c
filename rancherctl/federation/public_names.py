"""Names: what the Hub asks of the public DNS and of the health of addresses; NoNames publishes and checks nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from rancherctl.federation.cluster import Condition
from rancherctl.federation.model import FederatedService
from rancherctl.federation.status import DnsPart


class Names(Protocol):
    """The public names and the health of members' addresses, as the Hub uses them."""

    def want(self, services: Sequence[FederatedService], /) -> None:
        """The Services with their shards; returns at once."""

    def dns(self) -> Mapping[str, DnsPart]:
        """By ``namespace/name``: what is published and withheld."""

    def withdrawn(self) -> frozenset[str]:
        """Addresses that are judged dead."""

    def gone(self, member: str, /) -> bool:
        """Whether no name leads to the member any more, also in caches."""

    def serving(self, member: str, /) -> Condition:
        """The condition Serving of the member."""


class NoNames:
    """A federation that publishes no names and checks no addresses (provider ``none``)."""

    def want(self, _services: Sequence[FederatedService], /) -> None:
        """Nothing is published."""

    def dns(self) -> Mapping[str, DnsPart]:
        """Nothing is said about names."""
        return {}

    def withdrawn(self) -> frozenset[str]:
        """No address is checked."""
        return frozenset()

    def gone(self, _member: str, /) -> bool:
        """No name ever leads to a member."""
        return True

    def serving(self, _member: str, /) -> Condition:
        """Unknown, because no address is checked."""
        return Condition("Serving", "Unknown", "NotChecked", "this federation checks no addresses (provider none)")

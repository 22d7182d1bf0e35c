"""Names: what the Hub asks of the public DNS and of the health of addresses; NoNames publishes and checks nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from rancherctl.federation.conditions import SERVING, Condition
from rancherctl.federation.model import FederatedService, Place
from rancherctl.federation.probe_results import Result
from rancherctl.federation.probe_targets import Target
from rancherctl.federation.status import DnsPart


class Names(Protocol):
    """The public names and the health of members' addresses, as the Hub uses them."""

    def want(
        self,
        services: Sequence[FederatedService],
        /,
        *,
        places: Iterable[Place] = (),
        gone: Collection[str] = (),
        left: Collection[str] = (),
        settled: bool = True,
        members: Collection[str] = (),
    ) -> None:
        """The Services with their shards; returns at once.

        ``places``: those of all members. ``gone``: Services (``namespace/name``) whose names go; absent ones keep them.
        ``left``: members that leave. ``members``: the vantage points. ``settled``: whether all members were read that
        can be.
        """

    def stop(self) -> None:
        """This process does not lead any more."""

    def targets(self, member: str, /) -> Sequence[Target]:
        """What the member's vantage point probes."""

    def report(self, member: str, results: Mapping[str, Result], /) -> None:
        """A report of the member's vantage point."""

    def adopt(self, name: str, /) -> None:
        """Take over the records of others at a wanted name."""

    def force(self) -> None:
        """Delete, once, the names of objects that the federation no longer has."""

    def release(self) -> None:
        """Delete all names and the zone marker, because the federation is removed."""

    def settled(self, key: str, /) -> bool:
        """Whether a deleted Service may go: no name is left, or its tombstone is saved."""

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

    def want(
        self,
        services: Sequence[FederatedService],
        /,
        *,
        places: Iterable[Place] = (),
        gone: Collection[str] = (),
        left: Collection[str] = (),
        settled: bool = True,
        members: Collection[str] = (),
    ) -> None:
        """Nothing is published."""

    def stop(self) -> None:
        """Nothing runs."""

    def targets(self, _member: str, /) -> Sequence[Target]:
        """Nothing is probed."""
        return ()

    def report(self, _member: str, _results: Mapping[str, Result], /) -> None:
        """Reports are not used."""

    def adopt(self, _name: str, /) -> None:
        """No name is wanted."""

    def force(self) -> None:
        """There are no names."""

    def release(self) -> None:
        """There are no names."""

    def settled(self, _key: str, /) -> bool:
        """Nothing was published."""
        return True

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
        return Condition(SERVING, "Unknown", "NotChecked", "this federation checks no addresses (provider none)")

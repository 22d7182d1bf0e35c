"""Decisions about statuses that stay valid from one call to the next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rancherctl.placement.model import ObjectProblem, Roster, RosterHost

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settled(Generic[T]):
    """A decision that waits for nothing, and all that it was made from."""

    inputs: tuple[object, ...]
    status: T
    problems: tuple[ObjectProblem, ...]


@dataclass(slots=True)
class StatusMemory(Generic[T]):
    """Decisions of the last call that are the same as long as their object, its hosts and what these report stay.

    It only saves time: one report among thousands of objects concerns few of them.
    """

    roster: tuple[RosterHost, ...] = ()
    hash_scheme: int = -1
    settled: dict[str, Settled[T]] = field(default_factory=dict)

    def begin(self, roster: Roster, hash_scheme: int) -> Mapping[str, Settled[T]]:
        """What counts in this call; ``settled`` is filled again."""
        valid = self.hash_scheme == hash_scheme and self.roster == roster.hosts
        known = self.settled if valid else {}
        self.roster, self.hash_scheme, self.settled = roster.hosts, hash_scheme, {}
        return known

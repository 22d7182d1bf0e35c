"""What the publisher expects of a DNS provider, and the values that it exchanges with one.

A provider reads a zone completely or raises; it never returns half of it. Every write carries the zone marker that the
caller has seen and what the caller has seen at each changed name: a zone that has changed since refuses it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rancherctl.change import Change
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.federation.ownership import NameState, ZoneView

NameChange = Change[NameState]


class Outcome(StrEnum):
    """What became of a change."""

    DONE = "done"
    REFUSED = "refused"
    """Nothing was changed."""
    UNKNOWN = "unknown"
    """It was sent, but not answered: read the zone before the next write."""


@dataclass(frozen=True, slots=True)
class Result:
    """``why`` is one line for REFUSED and UNKNOWN, ``hint`` what to do about it.

    ``stale``: the zone is not as the caller has seen it, so that reading it again may help.
    """

    outcome: Outcome
    why: str = ""
    hint: str = ""
    stale: bool = False


DONE = Result(Outcome.DONE)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """``atomic``: one write replaces a set by one of another type without a moment between the two.

    ``lists``: the zone can be listed. ``min_ttl`` in seconds.
    """

    atomic: bool = True
    lists: bool = True
    min_ttl: int = 0


@dataclass(frozen=True, slots=True)
class ZoneInfo:
    """A zone that exists: its serial number (None: the provider has none) and the name servers of its apex."""

    serial: int | None = None
    nameservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fence:
    """The zone marker that every write requires: its absolute name and its text."""

    name: str
    text: str


class ZoneMissingError(NotFoundError):
    """The provider has no such zone."""


class StaleFenceError(ConflictError):
    """Another process has become the writer of the zone."""

    retryable = True


class DnsProvider(Protocol):
    """One zone at one provider. Errors are RancherctlErrors with their remedy; every call has a time limit."""

    name: str
    """As in ``spec.federation.provider``."""
    zone: str
    """The zone, absolute."""

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do, as far as it is known; a read may change it."""
        ...

    def info(self) -> ZoneInfo:
        """Ask whether the zone is there. Raises ZoneMissingError if it is not."""
        ...

    def read(self, fence: str, names: Collection[str]) -> ZoneView:
        """Read the zone, or ``names`` and their markers if it cannot be listed. ``fence`` is the zone marker's name."""
        ...

    def look(self, names: Collection[str]) -> Mapping[str, NameState]:
        """Read these names and their markers from the server that takes the writes; names without records are left
        out."""
        ...

    def claim(self, name: str, seen: tuple[str, ...], text: str) -> Result:
        """Write the zone marker ``text`` at ``name`` if the TXT records there are those that were ``seen``.

        Without a ``text`` the marker is removed.
        """
        ...

    def apply(self, changes: Sequence[NameChange], fence: Fence) -> Mapping[str, Result]:
        """Carry out changes (records and markers of a name together); returns the result of each name."""
        ...

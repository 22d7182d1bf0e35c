"""Apply a plan to a zone with signed RFC 2136 updates.

Each update is atomic, and the server journals it before it acknowledges it. A message never splits a record set. The
last message sets the marker; if there are several, the first removes the old marker, so a zone without a marker is
unfinished.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rancherctl.change import Change, Plan
from rancherctl.dns import names
from rancherctl.dns.client import Channel
from rancherctl.dns.model import Marker, RecordSet
from rancherctl.dns.wire import Update
from rancherctl.errors import RancherctlError

CHUNK = 16_000
"""Octets of one message: compression pointers end at 16,383. A larger record set has a message of its own."""
UPDATE_TIMEOUT = 10.0


class UpdateRefusedError(RancherctlError):
    """The server refused an update; nothing of that message was applied."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Edit:
    """The change of one record set: ``clear`` deletes the whole set, ``remove`` single records; ``add`` follows."""

    name: str
    type: str
    ttl: int
    clear: bool
    remove: tuple[str, ...]
    add: tuple[str, ...]

    def size(self) -> int:
        """An upper bound of the octets in a message."""
        per = {"A": 16, "AAAA": 28}.get(self.type, 0)
        records = sum(per or 20 + len(r) for r in (*self.remove, *self.add)) + (12 if self.clear else 0)
        return len(self.name) + 12 + records


def edit(change: Change[RecordSet]) -> Edit:
    """Replace the set or change single records, whichever needs fewer octets."""
    old, new = change.old, change.new
    if new is None:
        assert old is not None
        return Edit(old.name, old.type, 0, clear=True, remove=(), add=())
    whole = Edit(new.name, new.type, new.ttl, clear=True, remove=(), add=new.rdatas)
    if old is None or old.ttl != new.ttl:
        return whole
    before, after = set(old.rdatas), set(new.rdatas)
    single = Edit(
        new.name,
        new.type,
        new.ttl,
        clear=False,
        remove=tuple(sorted(before - after)),
        add=tuple(sorted(after - before)),
    )
    # Compare octets, not counts: a whole set always fits a message, long removed and added records together may not.
    return min(single, whole, key=Edit.size)


def chunks(plan: Plan[RecordSet], limit: int = CHUNK) -> Iterator[list[Edit]]:
    """Split a plan into messages. Deletes come first: a CNAME must never meet other data at its name."""
    batch: list[Edit] = []
    total = 0
    for change in sorted(plan, key=lambda c: c.new is not None):
        one = edit(change)
        if batch and total + one.size() > limit:
            yield batch
            batch, total = [], 0
        batch.append(one)
        total += one.size()
    if batch:
        yield batch


def apply(channel: Channel, zone: str, plan: Plan[RecordSet], marker: Marker) -> int:
    """Send the plan and the marker to the server; returns the number of messages.

    Raises UpdateRefusedError and the errors of client.
    """
    batches = list(chunks(plan)) or [[]]
    for number, batch in enumerate(batches, 1):
        message = build(zone, batch, first=number == 1, marker=marker if number == len(batches) else None)
        rcode = channel.update(message, timeout=UPDATE_TIMEOUT)
        if rcode != "NOERROR":
            raise UpdateRefusedError(f"update of zone {zone} refused", why=f"the server answers {rcode}")
    return len(batches)


def build(zone: str, batch: Sequence[Edit], *, first: bool, marker: Marker | None) -> Update:
    """Build one unsigned update message."""
    update = Update(zone)
    mark = names.marker_name(zone)
    if first:
        update.clear(mark, "TXT")
    for one in batch:
        if one.clear:
            update.clear(one.name, one.type)
    for one in batch:
        for rdata in one.remove:
            update.remove(one.name, one.type, rdata)
        for rdata in one.add:
            update.add(one.name, one.type, one.ttl, rdata)
    if marker is not None:
        update.add(mark, "TXT", 0, marker.text())
    return update

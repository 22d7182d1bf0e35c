"""Making a zone agree with a plan: signed RFC 2136 updates, each atomic and journaled by the server before it is acknowledged.

A message never splits a record set. The marker goes with the last message; when there are several, the first takes the old marker
away, so that a zone without a marker is known to be unfinished.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rancherctl.change import Change, Plan
from rancherctl.dns.client import Channel
from rancherctl.dns.model import MARKER, Marker, RecordSet
from rancherctl.dns.wire import Update
from rancherctl.errors import RancherctlError

CHUNK = 16_000
"""Octets of one message (a record set that is larger has one of its own): compression pointers do not reach beyond 16,383."""
UPDATE_TIMEOUT = 10.0


class UpdateRefusedError(RancherctlError):
    """The server did not accept an update; nothing of that message was applied."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Edit:
    """What happens to one record set: ``clear`` deletes all of it first, else ``remove`` deletes single records; then ``add``."""

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
    """The smaller of "replace the set" and "change single records"."""
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
    # by octets, not by number: a set fits a message whole, long records that go and long ones that come might not
    return min(single, whole, key=Edit.size)


def chunks(plan: Plan[RecordSet], limit: int = CHUNK) -> Iterator[list[Edit]]:
    """The edits in messages. Deletes come first: a CNAME and other data may follow each other at one name but never meet."""
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
    """Bring the zone to where the plan ends and write the marker; returns the number of messages. Errors: UpdateRefusedError, client's."""
    batches = list(chunks(plan)) or [[]]
    for number, batch in enumerate(batches, 1):
        message = build(zone, batch, first=number == 1, marker=marker if number == len(batches) else None)
        rcode = channel.update(message, timeout=UPDATE_TIMEOUT)
        if rcode != "NOERROR":
            raise UpdateRefusedError(f"update of zone {zone} refused", why=f"the server answers {rcode}")
    return len(batches)


def build(zone: str, batch: Sequence[Edit], *, first: bool, marker: Marker | None) -> Update:
    """One update message, not signed yet."""
    update = Update(zone)
    mark = f"{MARKER}.{zone}"
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

"""Making a zone agree with a plan: signed RFC 2136 updates, each atomic and journaled by the server before it is acknowledged.

A message never splits a record set. The marker goes with the last message; when there are several, the first takes the old marker
away, so that a zone without a marker is known to be unfinished.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rancherctl.change import Change, Plan
from rancherctl.dns.client import Channel
from rancherctl.dns.model import MARKER, Marker, RecordSet
from rancherctl.errors import RancherctlError

if TYPE_CHECKING:
    import dns.name
    import dns.update

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
    if old is not None and old.ttl == new.ttl:
        before, after = set(old.rdatas), set(new.rdatas)
        remove, add = before - after, after - before
        if len(remove) + len(add) <= len(after):
            return Edit(new.name, new.type, new.ttl, clear=False, remove=tuple(sorted(remove)), add=tuple(sorted(add)))
    return Edit(new.name, new.type, new.ttl, clear=True, remove=(), add=new.rdatas)


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
        message = build(zone, batch, channel, first=number == 1, marker=marker if number == len(batches) else None)
        _check(channel.exchange(message, timeout=UPDATE_TIMEOUT), zone)
    return len(batches)


def build(zone: str, batch: list[Edit], channel: Channel, *, first: bool, marker: Marker | None) -> dns.update.UpdateMessage:
    """One signed update message."""
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.update

    update = dns.update.UpdateMessage(_name(zone), keyring=channel.key)
    mark = _name(f"{MARKER}.{zone}")
    if first:
        update.delete(mark, "TXT")
    for one in batch:
        if one.clear:
            update.delete(_name(one.name), one.type)
    for one in batch:
        name, kind = _name(one.name), dns.rdatatype.from_text(one.type)
        for rdata in one.remove:
            update.delete(name, _rdata(kind, rdata))
        for rdata in one.add:
            update.add(name, one.ttl, _rdata(kind, rdata))
    if marker is not None:
        update.add(mark, 0, _rdata(dns.rdatatype.TXT, marker.text()))
    return update


def _check(answer: Any, zone: str) -> None:
    import dns.rcode

    if answer.rcode() != dns.rcode.NOERROR:
        raise UpdateRefusedError(f"update of zone {zone} refused", why=f"the server answers {dns.rcode.to_text(answer.rcode())}")


@lru_cache(maxsize=4096)
def _name(text: str) -> dns.name.Name:
    import dns.name

    return dns.name.from_text(text)


def _rdata(kind: Any, text: str) -> Any:
    import dns.rdata
    import dns.rdataclass

    return dns.rdata.from_text(dns.rdataclass.IN, kind, text)

"""Update messages: batches of changes with what they require of the zone (RFC 2136). Only dnspython, no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rancherctl.dns.model import RecordSet
from rancherctl.federation.names import marker_name
from rancherctl.federation.ownership import MARKER_TTL, OUR_TYPES, NameState
from rancherctl.federation.providers.base import Fence, NameChange

if TYPE_CHECKING:
    import dns.message
    import dns.rdataset
    import dns.update

MAX_BATCH: Final = 48_000
"""Octets of an update, estimated without compression; 65,535 is the limit of the protocol."""
_OCTETS: Final = 24
"""Of each record besides its name and data."""


def batches(changes: Sequence[NameChange], limit: int = MAX_BATCH) -> Iterator[list[NameChange]]:
    """Split changes into updates of at most ``limit`` octets; the change of a name is never split."""
    batch: list[NameChange] = []
    size = 0
    for change in changes:
        octets = _octets(change)
        if batch and size + octets > limit:
            yield batch
            batch, size = [], 0
        batch.append(change)
        size += octets
    if batch:
        yield batch


def claim(zone: str, name: str, seen: tuple[str, ...], text: str) -> dns.update.UpdateMessage:
    """Replace the zone marker ``seen`` at ``name`` by ``text`` ("" = none)."""
    update = _message(zone)
    _require(update, name, "TXT", seen)
    if seen:
        update.delete(name, "TXT")
    if text:
        update.add(name, MARKER_TTL, "TXT", text)
    return update


def update_of(zone: str, changes: Sequence[NameChange], fence: Fence) -> dns.update.UpdateMessage:
    """One message for these changes: it requires the zone marker, and the records as they were seen."""
    update = _message(zone)
    _require(update, fence.name, "TXT", (fence.text,))
    for change in changes:
        _add(update, change)
    return update


def _message(zone: str) -> dns.update.UpdateMessage:
    import dns.update

    return dns.update.UpdateMessage(zone)


def _add(update: dns.update.UpdateMessage, change: NameChange) -> None:
    old, new = change.old or NameState(), change.new
    marker = marker_name(change.key)
    seen = {s.type: s.rdatas for s in old.sets}
    for kind in OUR_TYPES:
        # Sets of others beside a name that is deleted are not our business.
        if kind in seen or new is not None:
            _require(update, change.key, kind, seen.get(kind, ()))
    _require(update, marker, "TXT", old.marker.rdatas() if old.marker else ())
    if old.marker is None and new is not None and new.marker is not None:
        # Beside an alias the server would leave out the marker silently, but not the records.
        _require(update, marker, "CNAME", ())
    after = {s.type: s for s in new.sets} if new else {}
    for kind in seen:
        if after.get(kind) != next(s for s in old.sets if s.type == kind):
            update.delete(change.key, kind)
    for record_set in after.values():
        if record_set not in old.sets:
            update.add(change.key, _rdataset(record_set, record_set.ttl))
    texts = new.marker.rdatas() if new is not None and new.marker is not None else ()
    if old.marker is not None and old.marker.rdatas() != texts:
        update.delete(marker, "TXT")
    if texts and (old.marker is None or old.marker.rdatas() != texts):
        update.add(marker, _rdataset(RecordSet(marker, "TXT", texts, MARKER_TTL), MARKER_TTL))


def _require(update: dns.update.UpdateMessage, name: str, kind: str, rdatas: tuple[str, ...]) -> None:
    """Require that the set is exactly this; () means that it is not there."""
    if rdatas:
        # The TTL of a required set must be 0, or servers answer FORMERR (RFC 2136 2.4.2).
        update.present(name, _rdataset(RecordSet(name, kind, rdatas), 0))
    else:
        update.absent(name, kind)


def _rdataset(record_set: RecordSet, ttl: int) -> dns.rdataset.Rdataset:
    import dns.rdataset

    return dns.rdataset.from_text_list("IN", record_set.type, ttl, record_set.rdatas)


def _octets(change: NameChange) -> int:
    """An upper limit of what a change takes in a message."""
    records = 6  # what it requires and deletes
    data = 0
    for state in (change.old, change.new):
        for record_set in state.sets if state else ():
            records += 1 + len(record_set.rdatas)
            data += sum(map(len, record_set.rdatas))
        if state and state.marker:
            records += 2
            data += 2 * sum(map(len, state.marker.rdatas()))
    return records * (len(change.key) + len("_rancherctl.") + _OCTETS) + data

"""From the record sets a server has to those it should have, and the guard against a list that lost most of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rancherctl.change import Change, Plan
from rancherctl.dns.model import RecordSet
from rancherctl.hold import LOSS_SHARE, is_mass_loss

FLOOR = 20
"""Deletes up to this number are never suspicious: small clusters change by large shares."""
SECOND_LIST_AFTER = 60.0
"""Seconds between two lists before they count as two opinions."""

Epochs = tuple[int, ...]
"""How many full lists each table has had."""


def plan(
    have: Mapping[str, RecordSet], want: Mapping[str, RecordSet], keys: Iterable[str] | None = None
) -> Plan[RecordSet]:
    """The sorted changes; with ``keys`` only these are looked at (the caller knows that no other differs)."""
    look = have.keys() | want.keys() if keys is None else keys
    changes = []
    for key in sorted(look):
        old, new = have.get(key), want.get(key)
        if old != new:
            changes.append(Change(key, old, new))
    return Plan(tuple(changes))


@dataclass(frozen=True, slots=True)
class Hold:
    """Deletes that wait for a second list: what, since when (seconds of the caller's monotonic clock), and the lists that do not count as it."""

    keys: frozenset[str]
    since: float
    epochs: Epochs


@dataclass(frozen=True, slots=True)
class Verdict:
    """``plan`` may be applied. ``hold`` is what to pass in next time. ``alarm`` is one line for the operator, "" if all is well."""

    plan: Plan[RecordSet]
    hold: Hold | None = None
    alarm: str = ""

    def relist_due(self, now: float) -> bool:
        """Whether it is time to ask the API for the second list."""
        return self.hold is not None and now - self.hold.since >= SECOND_LIST_AFTER


def guard(
    wanted: Plan[RecordSet], *, existing: int, epochs: Epochs, trusted: Epochs | None, hold: Hold | None, now: float
) -> Verdict:
    """Let a plan pass, or keep its deletes back until a later list agrees.

    ``existing`` counts the record sets the server has. ``trusted`` are the epochs of the last lists that passed: with the same epochs the
    deletes were reported one by one by the watch and are believed. Creates and updates always pass.
    """
    if epochs == trusted and hold is None:
        return Verdict(wanted)
    # A name that gets another type in the same plan is not lost; and to hold its old type back would make the server drop a new CNAME.
    reborn = {c.new.name for c in wanted if c.old is None and c.new is not None}
    doubtful = frozenset(c.key for c in wanted if c.new is None and c.old is not None and c.old.name not in reborn)
    agreed = doubtful & hold.keys if hold is not None else frozenset()
    patient = hold is not None and now - hold.since >= SECOND_LIST_AFTER
    if hold is not None and patient and all(a > b for a, b in zip(epochs, hold.epochs, strict=True)):
        doubtful -= agreed
        hold = None
    if not is_mass_loss(len(doubtful), existing, floor=FLOOR):
        return Verdict(wanted)
    kept = Plan(tuple(c for c in wanted if c.key not in doubtful), wanted.unknown)
    if hold is not None and is_mass_loss(len(agreed), existing, floor=FLOOR):
        # What only a later list lacks has had one opinion; and a list that came too soon is not the second one.
        since = Hold(agreed, hold.since, hold.epochs if patient else epochs)
    else:
        since = Hold(doubtful, now, epochs)
    alarm = (
        f"a list of the API lacks {len(doubtful)} of {existing} record sets ({len(doubtful) / max(existing, 1):.0%}, the limit is {LOSS_SHARE:.0%}): "
        "they stay until a second list agrees"
    )
    return Verdict(kept, since, alarm)

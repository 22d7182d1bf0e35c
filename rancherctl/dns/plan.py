"""The plan from the record sets a server has to those it should have, and the guard against mass loss. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rancherctl.change import Change, Plan
from rancherctl.dns.model import RecordSet
from rancherctl.hold import LOSS_SHARE, is_mass_loss

FLOOR = 20
"""Deletes up to this number are never suspicious: in a small cluster a normal change is a large share."""
SECOND_LIST_AFTER = 60.0
"""Seconds that must pass between two lists before the second confirms the first."""

Epochs = tuple[int, ...]
"""Number of full lists that each table has had."""


def plan(
    have: Mapping[str, RecordSet], want: Mapping[str, RecordSet], keys: Iterable[str] | None = None
) -> Plan[RecordSet]:
    """The sorted changes; compares only ``keys`` if given (the caller knows that nothing else differs)."""
    candidates = have.keys() | want.keys() if keys is None else keys
    changes = []
    for key in sorted(candidates):
        old, new = have.get(key), want.get(key)
        if old != new:
            changes.append(Change(key, old, new))
    return Plan(tuple(changes))


@dataclass(frozen=True, slots=True)
class HeldDeletes:
    """Deletes that wait for a second list, since ``since`` seconds of the caller's monotonic clock.

    ``epochs`` are the lists that do not count as the second. (rancherctl.hold only measures time; here a later list
    must lack the same names.)
    """

    keys: frozenset[str]
    since: float
    epochs: Epochs


@dataclass(frozen=True, slots=True)
class Verdict:
    """``plan`` may be applied; pass ``hold`` to the next call. ``alarm`` is one line for the operator, or ""."""

    plan: Plan[RecordSet]
    hold: HeldDeletes | None = None
    alarm: str = ""

    def relist_due(self, now: float) -> bool:
        """Whether it is time to request the second list from the API."""
        return self.hold is not None and now - self.hold.since >= SECOND_LIST_AFTER


def guard(
    wanted: Plan[RecordSet],
    *,
    existing: int,
    epochs: Epochs,
    trusted: Epochs | None,
    hold: HeldDeletes | None,
    now: float,
) -> Verdict:
    """Let a plan pass, or hold its deletes back until a later list confirms them.

    ``existing`` counts the record sets on the server. ``trusted`` are the epochs of the last lists that passed: with
    the same epochs the watch has reported the deletes one by one, and they are believed. Creates and updates always
    pass.
    """
    if epochs == trusted and hold is None:
        return Verdict(wanted)
    # A name that gets another type in the same plan is not lost, and holding its old type back would make the server
    # drop a new CNAME.
    retyped = {c.new.name for c in wanted if c.old is None and c.new is not None}
    doubtful = frozenset(c.key for c in wanted if c.new is None and c.old is not None and c.old.name not in retyped)
    agreed = doubtful & hold.keys if hold is not None else frozenset()
    patient = hold is not None and now - hold.since >= SECOND_LIST_AFTER
    if hold is not None and patient and all(a > b for a, b in zip(epochs, hold.epochs, strict=True)):
        doubtful -= agreed
        hold = None
    if not is_mass_loss(len(doubtful), existing, floor=FLOOR):
        return Verdict(wanted)
    kept = Plan(tuple(c for c in wanted if c.key not in doubtful), wanted.unknown)
    if hold is not None and is_mass_loss(len(agreed), existing, floor=FLOOR):
        # Names that only the later list lacks are unconfirmed, and a list that came too soon confirms nothing.
        since = HeldDeletes(agreed, hold.since, hold.epochs if patient else epochs)
    else:
        since = HeldDeletes(doubtful, now, epochs)
    alarm = (
        f"a list from the API lacks {len(doubtful)} of {existing} record sets "
        f"({len(doubtful) / max(existing, 1):.0%}, the limit is {LOSS_SHARE:.0%}): "
        "keeping them until a second list agrees"
    )
    return Verdict(kept, since, alarm)

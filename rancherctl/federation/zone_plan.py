"""The plan for a public zone: from what was read and the wish to changes, conflicts and orphans. Pure.

Absence never deletes: a name goes only if its object is gone (a tombstone), or is there and no longer wants the name.
Other names with our marker are orphans, which are listed and stay; many of them at once are an alarm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from rancherctl.change import Change, Plan
from rancherctl.dns.model import RecordSet
from rancherctl.federation.names import marker_name
from rancherctl.federation.ownership import OUR_TYPES, Marker, NameState, ZoneView
from rancherctl.federation.records import Desired
from rancherctl.hold import LOSS_SHARE, is_mass_loss

FLOOR: Final = 20
"""Orphans up to this number are listed, but are no alarm."""
_BESIDE_CNAME: Final = frozenset({"RRSIG", "NSEC", "NSEC3", "KEY", "DNSKEY"})
"""Types that may stand beside a CNAME; RFC 2181 10.1, RFC 4035 2.5."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A name that the plan leaves as it is: which object it concerns, and why it stays (one line)."""

    name: str
    object: str
    why: str


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """``changes`` may be applied. A change's ``old`` has the sets that it replaces, ``new`` those that follow.

    ``conflicts`` are wanted names with records of others, ``orphans`` names of objects that are not there (without a
    tombstone), ``waiting`` changes that remove something before all members were looked at. ``alarm``: one line, or "".
    """

    changes: Plan[NameState]
    conflicts: tuple[Finding, ...] = ()
    orphans: tuple[Finding, ...] = ()
    waiting: tuple[str, ...] = ()
    alarm: str = ""


def zone_plan(
    have: ZoneView,
    wish: Desired,
    owner: str,
    *,
    gone: Collection[str] = (),
    adopt: Collection[str] = (),
    flatten: bool = False,
    settled: bool = True,
    force: bool = False,
) -> ZonePlan:
    """Plan the zone of the federation ``owner`` (``name/uid``).

    ``gone``: objects (as markers name them) with a tombstone. ``adopt``: names whose unmarked records are taken over.
    ``flatten``: the provider cannot change a set's type in one step, so that no CNAME is written. ``settled``: every
    member that can be read was read; before, nothing is taken out of a set and no name is deleted. ``force``: delete
    orphans, too.
    """
    changes: list[Change[NameState]] = []
    orphans: list[Finding] = []
    waiting: list[str] = []
    conflicts = _conflicts(have, wish, owner, adopt)
    chains = flatten or bool(conflicts)
    for name, wanted in wish.names.items():
        if name in conflicts or (have.names.get(name) is wanted and not chains):
            continue
        if flatten or (conflicts and not conflicts.keys().isdisjoint(_targets(wish.names, wanted))):
            wanted = _flat(wish.names, wanted)  # noqa: PLW2901 - the same wish in another form
        change = _change(name, have.names.get(name), wanted, wish.names, owner)
        if change is None:
            continue
        if settled or change.old is None or set(change.old.addresses()) <= set(wanted.addresses()):
            changes.append(change)
        else:
            waiting.append(name)
    owned = 0
    for name, state in have.names.items():
        if state.marker is None or state.marker.owner != owner:
            continue
        owned += 1
        if name in wish.names:
            continue
        if not (state.marker.object in gone or state.marker.object in wish.alive or force):
            why = "its object is not in the federation and was not deleted there"
            orphans.append(Finding(name, state.marker.object, why))
        elif settled:
            changes.append(Change(name, NameState(state.owned(), state.marker), None))
        else:
            waiting.append(name)
    return ZonePlan(
        Plan(tuple(sorted(changes, key=lambda change: change.key))),
        tuple(conflicts.values()),
        tuple(sorted(orphans, key=lambda finding: finding.name)),
        tuple(sorted(waiting)),
        _alarm(len(orphans), owned),
    )


def _change(
    name: str, state: NameState | None, wanted: NameState, names: Mapping[str, NameState], owner: str
) -> Change[NameState] | None:
    """The change of a name without conflict; None if it is as wanted."""
    if state is None:
        return Change(name, None, wanted)
    ours = state.marker is not None and state.marker.owner == owner
    replaced = state.owned() if ours else state.of_types(OUR_TYPES)
    if any(s.type not in OUR_TYPES and s.type not in _BESIDE_CNAME for s in state.sets):
        wanted = _flat(names, wanted)
    if wanted.sets == replaced and wanted.marker == state.marker:
        return None
    old = NameState(replaced, state.marker)
    return Change(name, old if replaced or state.marker else None, wanted, _why(old, wanted))


def _conflicts(have: ZoneView, wish: Desired, owner: str, adopt: Collection[str]) -> dict[str, Finding]:
    """The wanted names that have records of others, sorted."""
    found: dict[str, Finding] = {}
    for name, wanted in wish.names.items():
        state = have.names.get(name)
        # What was written by this process is the wish itself.
        if state is wanted:
            continue
        marker = have.names.get(marker_name(name))
        if marker is not None and marker.of_types(("CNAME",)):
            why = f"{marker_name(name).removesuffix('.')} is an alias of others, where its marker must be: remove it"
        else:
            why = _conflict(name, state, owner, adopted=name in adopt) if state is not None else ""
        if why:
            found[name] = Finding(name, wanted.marker.object if wanted.marker else "", why)
    return dict(sorted(found.items()))


def _conflict(name: str, state: NameState, owner: str, *, adopted: bool) -> str:
    """Why a wanted name must not be written; "" if it may be."""
    present = state.of_types(OUR_TYPES)
    marker = state.marker
    if marker is None:
        if not present or adopted:
            return ""
        return f"{_shown(present)} without our marker: federation dns adopt {name.removesuffix('.')} takes it over"
    where = f"TXT {marker_name(name).removesuffix('.')}"
    if marker.owner == owner:
        foreign = [s for s in present if s.type not in marker.types]
        if not foreign:
            return ""
        listed = ",".join(marker.types)
        return f"{_shown(foreign)} was added by others ({where} lists {listed} as ours): remove one of the two"
    if marker.owner:
        return f"it belongs to the federation {marker.owner} ({where}): remove that record if it no longer exists"
    return f"{where} is not a marker of this federation: remove it to let the federation use the name"


def _shown(sets: Collection[RecordSet]) -> str:
    return "has " + ", ".join(f"{s.type} {' '.join(s.rdatas)}" for s in sets)


def _targets(names: Mapping[str, NameState], wanted: NameState) -> list[str]:
    """The names that the CNAMEs of a wish lead to, one after the other."""
    found: list[str] = []
    state: NameState | None = wanted
    while state is not None and len(found) < 4 and len(state.sets) == 1 and state.sets[0].type == "CNAME":
        found.append(state.sets[0].rdatas[0])
        state = names.get(found[-1])
    return found


def _flat(names: Mapping[str, NameState], wanted: NameState) -> NameState:
    """The wish with addresses instead of a CNAME: those at the end of the chain; the wish itself if there are none."""
    targets = _targets(names, wanted)
    state = names.get(targets[-1]) if targets else None
    if state is None or not state.addresses():
        return wanted
    name, marker = wanted.sets[0].name, wanted.marker
    sets = tuple(RecordSet(name, s.type, s.rdatas, s.ttl) for s in state.sets)
    found = Marker(marker.owner, tuple(s.type for s in sets), marker.object) if marker else None
    return NameState(sets, found)


def _why(old: NameState, new: NameState) -> str:
    """What differs, in a few words."""
    before, after = {s.type: s for s in old.sets}, {s.type: s for s in new.sets}
    parts = []
    for kind in sorted(before.keys() | after.keys()):
        one, two = before.get(kind), after.get(kind)
        if one != two:
            left = ", ".join(sorted(set(one.rdatas if one else ()) - set(two.rdatas if two else ())))
            came = ", ".join(sorted(set(two.rdatas if two else ()) - set(one.rdatas if one else ())))
            text = " ".join(t for t in (f"-{left}" if left else "", f"+{came}" if came else "") if t)
            parts.append(f"{kind} {text or 'TTL'}")
    return "; ".join(parts) or "marker"


def _alarm(orphans: int, owned: int) -> str:
    if not is_mass_loss(orphans, owned, floor=FLOOR):
        return ""
    return (
        f"{orphans} of {owned} published names belong to objects that the federation no longer has, and none of them "
        f"was deleted ({orphans / max(owned, 1):.0%}, the limit is {LOSS_SHARE:.0%}): they stay"
    )

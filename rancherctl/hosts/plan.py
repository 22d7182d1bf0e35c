"""Plan the changes on a host, and describe them. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from rancherctl.change import Change, Plan, diff
from rancherctl.errors import InvalidInputError
from rancherctl.hosts.model import Package, Resource, Unit, key
from rancherctl.hosts.state import ObservedResources, ResourceState, desired, fingerprint

SHOWN = {"started_with": "the files it was started with", "loaded_with": "the files it has loaded"}


def plan(resources: Iterable[Resource], observed: ObservedResources) -> Plan[ResourceState]:
    """Changes from observed to wanted, sorted by kind.

    Packages, users, folders, artefacts, files, links, removals, units.

    InvalidInputError if two resources describe one thing. What could not be read is ``unknown``; nothing is removed
    then.
    """
    wanted = tuple(resources)
    _no_duplicates(wanted)
    prints = expected_prints(wanted, observed)
    want = {
        key(resource): wanted_state for resource in wanted if (wanted_state := desired(resource, prints)) is not None
    }
    units = {key(resource): resource for resource in wanted if isinstance(resource, Unit)}
    unread = {unknown.where for unknown in observed.unknown}
    blind = {k for k, wanted_state in want.items() if {wanted_state.place, _PART.get(wanted_state.kind)} & unread}
    # nor is it known whether a unit runs with the current content of such a file
    blind |= {name for name, unit in units.items() if not unread.isdisjoint((*unit.restart_on, *unit.reload_on))}
    if "units" in unread:  # their masks are unknown
        blind |= {key(resource) for resource in wanted if isinstance(resource, Package) and resource.mask}
    found = diff(
        {k: v for k, v in observed.states.items() if k not in blind},
        {k: v for k, v in want.items() if k not in blind},
        unknown=observed.unknown,
    )
    return Plan(
        tuple(Change(c.key, c.old, c.new, _why(c, units.get(c.key), prints, observed)) for c in found), found.unknown
    )


_PART = {"package": "packages", "user": "users", "unit": "units"}


def expected_prints(resources: Iterable[Resource], observed: ObservedResources) -> dict[str, str]:
    """Path → fingerprint after the resources are applied: theirs if they define the path, else the observed one."""
    own = dict(found for resource in resources if (found := fingerprint(resource)) is not None)
    return {**observed.prints, **own}


def _no_duplicates(resources: Iterable[Resource]) -> None:
    seen: dict[str, Resource] = {}
    problems = []
    for resource in resources:
        place = key(resource).split("/", 2)[2]
        before = seen.setdefault(place, resource)
        if before is not resource and before != resource:
            problems.append(
                f"{place}: two different descriptions, a {type(before).__name__} and a {type(resource).__name__}"
            )
    if problems:
        raise InvalidInputError("conflicting resources of a host", problems)


def _why(
    change: Change[ResourceState], unit: Unit | None, prints: Mapping[str, str], observed: ObservedResources
) -> str:
    old, new = change.old, change.new
    if old is None or new is None:
        return ""
    differing = [name for name, value in new.facts if old.get(name) != value]
    if unit is not None and new.get("active") == old.get("active") == "yes":
        ran = observed.ran_with.get(unit.name, {})
        reasons = []
        for verb, fact, paths in (
            ("restart", "started_with", unit.restart_on),
            ("reload", "loaded_with", unit.reload_on),
        ):
            if fact in differing:
                changed = [path for path in paths if ran.get(verb, {}).get(path) != prints.get(path, "absent")]
                reasons.append(f"{verb}: {', '.join(changed)}")
        others = [_differs(name, old, new) for name in differing if name not in SHOWN]
        return "; ".join(others + reasons)
    return "; ".join(_differs(name, old, new) for name in differing if name not in SHOWN)


def _differs(name: str, old: ResourceState, new: ResourceState) -> str:
    return "content" if name == "sha256" else f"{name} {old.get(name) or 'none'} → {new.get(name) or 'none'}"


def action(change: Change[ResourceState]) -> str:
    """What happens to a unit: ``start``, ``stop``, ``restart``, ``reload`` or "" (only enabled or disabled)."""
    old, new = change.old, change.new
    if new is None:
        return ""
    running = old is not None and old.get("active") == "yes"
    if new.get("active") == "no":
        return "stop" if running else ""
    if not running:
        return "start"
    assert old is not None
    if old.get("started_with") != new.get("started_with"):
        return "restart"
    return "reload" if old.get("loaded_with") != new.get("loaded_with") else ""


def describe(change: Change[ResourceState]) -> list[str]:
    """Lines to show: a headline, then a unified diff if a text file changes.

    Secrets and binaries have the headline only.
    """
    shown = change.new or change.old
    assert shown is not None
    if change.new is None:
        return [f"remove {shown.place}"]
    verb = "create" if change.old is None else "change"
    if shown.kind == "package":
        verb = "install" if change.old is None else "change"
        masked = f"masked first: {shown.get('masked')}" if shown.get("masked") and not change.why else ""
        change = replace(change, why="; ".join(filter(None, (shown.note, change.why, masked))))
    if shown.kind == "unit":
        had = change.old.get("enabled") if change.old is not None else "no"
        switch = "" if had == shown.get("enabled") else "enable" if shown.get("enabled") == "yes" else "disable"
        verb = " and ".join(filter(None, (switch, action(change))))
    head = f"{verb} {shown.kind} {shown.label or shown.place}"
    details = [change.why] if change.why else _facts(shown) if change.verb == "create" else []
    lines = [head + (f" ({'; '.join(details)})" if details else "")]
    old_text = change.old.text if change.old else ""
    if shown.kind == "file" and shown.text is not None and old_text is not None:
        lines += list(_unified(shown.place, old_text, shown.text, new_file=change.old is None))
    return lines


def _facts(shown: ResourceState) -> list[str]:
    if shown.kind in ("file", "directory", "artefact"):
        return [f"mode {shown.get('mode')}, owner {shown.get('owner')}"]
    return [f"to {shown.get('target')}"] if shown.kind == "link" else []


def _unified(path: str, old: str, new: str, *, new_file: bool) -> Iterable[str]:
    before = "/dev/null" if new_file else path
    return (
        line.rstrip("\n")
        for line in difflib.unified_diff(old.splitlines(), new.splitlines(), before, path, lineterm="")
    )

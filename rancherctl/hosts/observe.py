"""Observe the state of resources on a host: one round trip, frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rancherctl.change import Unknown
from rancherctl.hosts.model import Absent, Artefact, Directory, File, Link, Package, Resource, Unit, User, key
from rancherctl.hosts.remote_call import call
from rancherctl.hosts.state import ObservedResources, ResourceState, desired, digest, owner_fact, state
from rancherctl.hosts.transport import Transport

TIMEOUT = 300.0
"""Seconds; the first call may hash a gigabyte of artefacts that an earlier run left."""


def observe(transport: Transport, resources: Iterable[Resource]) -> ObservedResources:
    """The state of ``resources`` on the host; unreadable parts are ``unknown``.

    UnreachableError, AuthError, HostStepError.
    """
    wanted = tuple(resources)
    return parse(wanted, call(transport, request(wanted), timeout=TIMEOUT))


def request(resources: Iterable[Resource]) -> dict[str, Any]:
    """The request to the host: paths (with what to read of each), and names of packages, users and units."""
    paths: dict[str, dict[str, Any]] = {}
    packages: list[str] = []
    users: list[str] = []
    units: list[str] = []
    for resource in resources:
        match resource:
            case File():
                sha = desired(resource, {})
                paths[resource.path] = (
                    {} if resource.secret or sha is None else {"text": True, "sha256": sha.get("sha256")}
                )
            case Artefact():
                paths[resource.path] = {"size": resource.size}
            case Directory():
                how = paths.setdefault(resource.path, {})
                if resource.written:
                    how["files"] = list(resource.written)
            case Link() | Absent():
                paths.setdefault(resource.path, {})
            case Package():
                packages.append(resource.name)
                units += resource.mask
            case User():
                users.append(resource.name)
            case Unit():
                units.append(resource.name)
                for path in (*resource.restart_on, *resource.reload_on):
                    paths.setdefault(path, {})
    return {"op": "observe", "paths": paths, "packages": packages, "users": users, "units": list(dict.fromkeys(units))}


def parse(resources: Iterable[Resource], answer: Mapping[str, Any]) -> ObservedResources:
    """The host's answer as values, for the resources of the request."""
    errors: Mapping[str, str] = answer["errors"]
    states: dict[str, ResourceState] = {}
    for resource in resources:
        found = _found(resource, answer)
        if found is not None:
            states[key(resource)] = found
    prints = {path: _print(seen) for path, seen in answer["paths"].items()}
    unknown = tuple(Unknown(where, why) for where, why in sorted(errors.items()))
    ages = {
        name: float(fields["age"])
        for name, fields in answer["units"].items()
        if "age" in fields and fields.get("NRestarts", "0") == "0"
    }
    return ObservedResources(states, prints, answer["ran_with"], unknown, ages)


def _found(resource: Resource, answer: Mapping[str, Any]) -> ResourceState | None:
    match resource:
        case Package():
            if resource.name not in answer["packages"]:
                return None
            masked = sorted(
                unit for unit in resource.mask if answer["units"].get(unit, {}).get("UnitFileState") == "masked"
            )
            version = {"version": str(answer["packages"][resource.name])} if resource.dependency_only else {}
            return state("package", resource.name, installed="yes", masked=",".join(masked), **version)
        case User():
            return state("user", resource.name, exists="yes") if resource.name in answer["users"] else None
        case Unit():
            return _unit(resource, answer)
        case _:
            seen = answer["paths"].get(resource.path, {"type": "absent"})
            return None if seen["type"] == "absent" else _path(resource, seen)


def _path(resource: File | Directory | Link | Artefact | Absent, seen: Mapping[str, Any]) -> ResourceState:
    kind = type(resource).__name__.lower()
    facts = {"type": str(seen["type"])}
    if isinstance(resource, Link):
        facts["target"] = str(seen.get("target", ""))
    else:
        facts |= {"mode": f"{seen['mode']:04o}", "owner": str(seen["owner"])}
    if isinstance(resource, Directory):
        facts |= {owner_fact(name): str(seen.get("files", {}).get(name, resource.owner)) for name in resource.written}
    if isinstance(resource, (File, Artefact)):
        facts["sha256"] = str(seen.get("sha256", ""))
    text = seen.get("text")
    want = desired(resource, {})
    if text is None and want is not None and facts.get("sha256") == want.get("sha256"):
        text = want.text
    return state(kind, resource.path, text, **facts)


def _unit(unit: Unit, answer: Mapping[str, Any]) -> ResourceState | None:
    seen = answer["units"].get(unit.name)
    if seen is None or (seen.get("LoadState") == "not-found" and (unit.enabled or unit.active)):
        return None
    active = seen.get("ActiveState") in ("active", "reloading")
    enabled = seen.get("UnitFileState") == "enabled"
    ran = answer["ran_with"].get(unit.name, {})
    running = active and unit.active
    started = _digest_of(ran["restart"], unit.restart_on) if running and "restart" in ran else ""
    loaded = _digest_of(ran["reload"], unit.reload_on) if running and "reload" in ran else ""
    word = {True: "yes", False: "no"}
    return state(
        "unit", unit.name, enabled=word[enabled], active=word[active], started_with=started, loaded_with=loaded
    )


def _digest_of(ran: Mapping[str, str], paths: Iterable[str]) -> str:
    """Digest of the files that the unit depends on now; a file that it no longer depends on does not restart it."""
    return digest({path: ran[path] for path in paths if path in ran})


def _print(seen: Mapping[str, Any]) -> str:
    if seen["type"] == "file":
        return str(seen["sha256"])
    return f"link:{seen['target']}" if seen["type"] == "link" else str(seen["type"])

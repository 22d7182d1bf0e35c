"""Apply a plan to a host.

Packages and folders, then artefacts, then files and units, each group in one round trip.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final

from rancherctl.change import Change, Plan
from rancherctl.errors import RancherctlError
from rancherctl.events import Emit, Event
from rancherctl.hosts.model import Absent, Artefact, Directory, File, Link, Package, Resource, Unit, User, key
from rancherctl.hosts.packages.upload import upload_debs
from rancherctl.hosts.plan import action, describe
from rancherctl.hosts.remote_call import call
from rancherctl.hosts.state import ResourceState
from rancherctl.hosts.transport import Transport
from rancherctl.text import and_more

UPLOADS = threading.BoundedSemaphore(5)
"""Parallel uploads of this process, over all hosts (E4)."""
PREPARE_LIMIT: Final = 2400.0
FINISH_LIMIT: Final = 900.0
"""Seconds for the steps before and after the artefacts."""
PHASE: Final = "apply"
SHOWN: Final = 3
"""How many things that failed for the same reason are listed."""


class ApplyError(RancherctlError):
    """Some changes on one host failed; ``failed`` maps their keys to one line each. Running it again resumes."""

    def __init__(self, host: str, failed: Mapping[str, str]) -> None:
        names = {where: where.split("/", 2)[-1] if where.count("/") > 1 else where for where in failed}
        lines = [
            f"{and_more([names[where] for where in places], shown=SHOWN)}: {why}" for why, places in reasons(failed)
        ]
        first = "free space on the host and" if any("No space left" in line for line in lines) else "fix this and"
        hint = f"{first} run the same command again; it resumes where it stopped"
        super().__init__(f"{host}: {len(failed)} of the planned changes failed", why="; ".join(lines)[:1500], hint=hint)
        self.failed = dict(failed)


def reasons(failed: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Each reason with all keys that failed for it, sorted. Pure."""
    found: dict[str, list[str]] = {}
    for where, why in sorted(failed.items()):
        found.setdefault(why, []).append(where)
    return list(found.items())


def apply(
    transport: Transport,
    plan: Plan[ResourceState],
    resources: Iterable[Resource],
    emit: Emit,
    *,
    uploads: AbstractContextManager[Any] = UPLOADS,
) -> None:
    """Make the planned changes; ``resources`` are those that were planned.

    Safe to repeat after any interruption.

    ApplyError lists all failures. Units are not touched if a file failed.
    """
    if not plan:
        return
    by_key = {key(resource): resource for resource in resources}
    groups = grouped(plan, by_key)
    first = {part: groups[part] for part in ("packages", "users", "directories") if groups[part]}
    last = {part: groups[part] for part in ("files", "links", "absent", "units") if groups[part]}
    artefacts = [resource for change in plan if isinstance(resource := by_key[change.key], Artefact)]
    titles = {change.key: describe(change)[0] for change in plan}
    if artefacts or groups["packages"]:
        debs = [
            package.deb
            for change in plan
            if isinstance(package := by_key[change.key], Package) and package.deb is not None and _is_installed(change)
        ]
        bundled = upload_debs(transport, debs, lambda deb: _upload(transport, deb, emit, uploads)) if debs else None
        _send(transport, first, titles, emit, PREPARE_LIMIT, **({"bundled": bundled} if bundled else {}))
        for artefact in artefacts:
            _upload(transport, artefact, emit, uploads)
        _verify(transport, artefacts)
        first = {}
    _send(transport, {**first, **last}, titles, emit, FINISH_LIMIT)


def _is_installed(change: Change[ResourceState]) -> bool:
    """Whether the change installs or replaces a package, instead of only masking its units."""
    return change.old is None or change.new is None or change.old.get("version") != change.new.get("version")


def _send(
    transport: Transport, parts: Mapping[str, Any], titles: Mapping[str, str], emit: Emit, limit: float, **more: Any
) -> None:
    if not parts:
        return
    summary = ", ".join(f"{len(items)} {part}" for part, items in parts.items())
    emit(Event(PHASE, summary, transport.name, "started", "debug"))
    answer = call(transport, {"op": "apply", **parts, **more}, timeout=limit)
    for done in answer["done"]:
        emit(Event(PHASE, titles.get(done, done), transport.name, "done", "debug"))
    failed: dict[str, str] = answer["failed"]
    for why, places in reasons(failed):
        what = and_more([titles.get(where, where) for where in places], shown=SHOWN)
        emit(Event(PHASE, f"{what}: {why}", transport.name, "failed", "error"))
    if failed:
        raise ApplyError(transport.name, failed)


def _upload(transport: Transport, artefact: Artefact, emit: Emit, uploads: AbstractContextManager[Any]) -> None:
    what = f"upload {artefact.path}"

    def progress(done: int, total: int) -> None:
        emit(Event(PHASE, what, transport.name, "progress", fraction=done / total if total else 1.0))

    with uploads:
        size = f"{artefact.size / 1e6:.0f} MB"
        emit(Event(PHASE, f"{what} ({size})", transport.name, "progress", fraction=0.0))
        transport.upload(artefact.source, artefact.path, mode=artefact.mode, progress=progress)
        emit(Event(PHASE, what, transport.name, "done", "debug", 1.0))


def _verify(transport: Transport, artefacts: Iterable[Artefact]) -> None:
    """Check what was sent against the manifest; the receiver has already checked that it arrived unchanged."""
    wanted = {artefact.path: artefact for artefact in artefacts}
    if not wanted:
        return
    seen = call(transport, {"op": "observe", "paths": {path: {} for path in wanted}}, timeout=FINISH_LIMIT)["paths"]
    found = {path: str(seen[path].get("sha256", seen[path]["type"])) for path in wanted}
    wrong = {
        path: f"{artefact.source} does not match the manifest: its hash is {found[path][:12]}…"
        for path, artefact in wanted.items()
        if found[path] != artefact.sha256
    }
    if wrong:
        raise ApplyError(transport.name, wrong)


def grouped(plan: Plan[ResourceState], by_key: Mapping[str, Resource]) -> dict[str, list[dict[str, Any]]]:
    """The plan's changes by part, as ``hosts.remote.apply`` expects them, without artefacts.

    Parents come before children.
    """
    out: dict[str, list[dict[str, Any]]] = {
        part: [] for part in ("packages", "users", "directories", "files", "links", "absent", "units")
    }
    for change in plan:
        resource = by_key[change.key]
        common = {"key": change.key}
        match resource:
            case Package():
                out["packages"].append(
                    {
                        **common,
                        "name": resource.name,
                        "mask": list(resource.mask),
                        "dependency_only": resource.dependency_only,
                    }
                )
            case User():
                out["users"].append({**common, "name": resource.name, "home": resource.home})
            case Directory():
                files = list(resource.written)
                out["directories"].append(
                    {**common, "path": resource.path, "mode": resource.mode, "owner": resource.owner, "written": files}
                )
            case File():
                content = None if _same_content(change) else base64.b64encode(resource.content).decode()
                out["files"].append(
                    {
                        **common,
                        "path": resource.path,
                        "content": content,
                        "mode": resource.mode,
                        "owner": resource.owner,
                    }
                )
            case Link():
                out["links"].append({**common, "path": resource.path, "target": resource.target})
            case Absent():
                out["absent"].append({**common, "path": resource.path})
            case Unit():
                out["units"].append({**common, **_unit(resource, change)})
            case Artefact():
                continue
    return out


def _same_content(change: Change[ResourceState]) -> bool:
    return (
        change.old is not None
        and change.new is not None
        and all(change.old.get(f) == change.new.get(f) for f in ("type", "sha256"))
    )


def _unit(unit: Unit, change: Change[ResourceState]) -> dict[str, Any]:
    assert change.new is not None
    had = change.old.get("enabled") if change.old is not None else "no"
    enable = None if had == change.new.get("enabled") else unit.enabled
    return {
        "name": unit.name,
        "enable": enable,
        "active": unit.active,
        "action": action(change),
        "restart": list(unit.restart_on),
        "reload": list(unit.reload_on),
    }

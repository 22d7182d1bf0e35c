"""Make a host as planned: packages and folders, then artefacts, then files and units, each group in one round trip."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from rancherctl.change import Change, Plan
from rancherctl.errors import RancherctlError
from rancherctl.events import Emit, Event
from rancherctl.hosts.model import Absent, Artefact, Directory, File, Link, Package, Resource, Unit, User, key
from rancherctl.hosts.packages.upload import upload_debs
from rancherctl.hosts.plan import action, describe
from rancherctl.hosts.remote_call import call
from rancherctl.hosts.state import ResourceState
from rancherctl.hosts.transport import Transport

UPLOADS = threading.BoundedSemaphore(5)
"""So many uploads run at once in this process, over all hosts (E4)."""
PREPARE_LIMIT = 2400.0
FINISH_LIMIT = 900.0
PHASE = "apply"
SHOWN = 3
"""So many things that failed for one reason are named."""


class ApplyError(RancherctlError):
    """Some changes of one host failed; ``failed`` maps their keys to one line each. Running it again goes on from there."""

    def __init__(self, host: str, failed: Mapping[str, str]) -> None:
        names = {where: where.split("/", 2)[-1] if where.count("/") > 1 else where for where in failed}
        lines = [f"{several([names[where] for where in places])}: {why}" for why, places in reasons(failed)]
        first = "free space on the host and" if any("No space left" in line for line in lines) else "mend this and"
        hint = f"{first} run the same command again: it goes on from here"
        super().__init__(f"{host}: {len(failed)} of the planned changes failed", why="; ".join(lines)[:1500], hint=hint)
        self.failed = dict(failed)


def reasons(failed: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Each reason with all keys that it is the reason of, sorted. Pure."""
    found: dict[str, list[str]] = {}
    for where, why in sorted(failed.items()):
        found.setdefault(why, []).append(where)
    return list(found.items())


def several(names: Sequence[str]) -> str:
    """``a, b, c and 4 more``. Pure."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def apply(
    transport: Transport,
    plan: Plan[ResourceState],
    resources: Iterable[Resource],
    emit: Emit,
    *,
    uploads: AbstractContextManager[Any] = UPLOADS,
) -> None:
    """Make the planned changes of ``resources`` (the same that were planned). ApplyError tells all that failed; units are
    not touched when a file failed. Safe to run again after any interruption."""
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
            r.deb
            for change in plan
            if isinstance(r := by_key[change.key], Package) and r.deb is not None and _comes(change)
        ]
        bundled = (
            {"bundled": upload_debs(transport, debs, lambda deb: _upload(transport, deb, emit, uploads))}
            if debs
            else {}
        )
        _send(transport, first, titles, emit, PREPARE_LIMIT, **bundled)
        for artefact in artefacts:
            _upload(transport, artefact, emit, uploads)
        _verify(transport, artefacts)
        first = {}
    _send(transport, {**first, **last}, titles, emit, FINISH_LIMIT)


def _comes(change: Change[ResourceState]) -> bool:
    """Whether a package is installed or replaced, not just masked."""
    return change.old is None or change.new is None or change.old.get("version") != change.new.get("version")


def _send(
    transport: Transport, parts: Mapping[str, Any], titles: Mapping[str, str], emit: Emit, limit: float, **more: Any
) -> None:
    if not parts:
        return
    emit(Event(PHASE, _summary(parts), transport.name, "started", "debug"))
    answer = call(transport, {"op": "apply", **parts, **more}, timeout=limit)
    for done in answer["done"]:
        emit(Event(PHASE, titles.get(done, done), transport.name, "done", "debug"))
    failed: dict[str, str] = answer["failed"]
    for why, places in reasons(failed):
        emit(
            Event(
                PHASE,
                f"{several([titles.get(where, where) for where in places])}: {why}",
                transport.name,
                "failed",
                "error",
            )
        )
    if failed:
        raise ApplyError(transport.name, failed)


def _summary(parts: Mapping[str, Any]) -> str:
    return ", ".join(f"{len(items)} {part}" for part, items in parts.items())


def _upload(transport: Transport, artefact: Artefact, emit: Emit, uploads: AbstractContextManager[Any]) -> None:
    def progress(done: int, total: int) -> None:
        emit(
            Event(PHASE, f"upload {artefact.path}", transport.name, "progress", fraction=done / total if total else 1.0)
        )

    with uploads:
        emit(
            Event(
                PHASE,
                f"upload {artefact.path} ({artefact.size / 1e6:.0f} MB)",
                transport.name,
                "progress",
                fraction=0.0,
            )
        )
        transport.upload(artefact.source, artefact.path, mode=artefact.mode, progress=progress)
        emit(Event(PHASE, f"upload {artefact.path}", transport.name, "done", "debug", 1.0))


def _verify(transport: Transport, artefacts: Iterable[Artefact]) -> None:
    """The receiving side has checked what came against what was sent; this checks what was sent against the manifest."""
    wanted = {artefact.path: artefact for artefact in artefacts}
    if not wanted:
        return
    seen = call(transport, {"op": "observe", "paths": {path: {} for path in wanted}}, timeout=FINISH_LIMIT)["paths"]
    wrong = {
        path: str(seen[path].get("sha256", seen[path]["type"]))
        for path, a in wanted.items()
        if seen[path].get("sha256") != a.sha256
    }
    if wrong:
        raise ApplyError(
            transport.name,
            {
                path: f"{wanted[path].source} is not what the manifest says: its hash is {sha[:12]}…"
                for path, sha in wrong.items()
            },
        )


def grouped(plan: Plan[ResourceState], by_key: Mapping[str, Resource]) -> dict[str, list[dict[str, Any]]]:
    """The plan's changes as the host's program takes them, by part; artefacts are not among them. Parents come before children."""
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

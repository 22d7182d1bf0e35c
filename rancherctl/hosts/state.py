"""State of one resource on one host, observed or desired. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rancherctl.change import Unknown
from rancherctl.hosts.model import Absent, Artefact, Directory, File, Link, Package, Resource, Unit, User
from rancherctl.text import short_digest


@dataclass(frozen=True, slots=True)
class ResourceState:
    """State of a resource.

    ``kind`` (its class in lower case), ``place`` (path or name), ``facts`` (sorted pairs).

    Only these are compared. ``text`` is a text file's content for diffs (None: secret, binary, too big or not read); it
    is never printed by repr. ``label`` replaces ``place`` in messages, ``note`` is extra information for the reader.
    """

    kind: str
    place: str
    facts: tuple[tuple[str, str], ...]
    text: str | None = field(default=None, compare=False, repr=False)
    label: str = field(default="", compare=False, repr=False)
    note: str = field(default="", compare=False, repr=False)

    def get(self, name: str) -> str:
        """One fact, "" if absent."""
        return dict(self.facts).get(name, "")


@dataclass(frozen=True, slots=True)
class ObservedResources:
    """The observed state of the requested resources on one host.

    ``states``: key → state of what exists. ``prints``: path → fingerprint for every path that units depend on.
    ``ran_with``: unit → ``restart`` or ``reload`` → path → fingerprint when rancherctl last started it. ``unknown``:
    what could not be read. ``ages``: unit → seconds since it became active, for running units that systemd did not
    have to restart.
    """

    states: Mapping[str, ResourceState] = field(default_factory=dict)
    prints: Mapping[str, str] = field(default_factory=dict)
    ran_with: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    unknown: tuple[Unknown, ...] = ()
    ages: Mapping[str, float] = field(default_factory=dict)


def state(kind: str, place: str, text: str | None = None, /, **facts: str) -> ResourceState:
    """Shorthand that sorts the facts."""
    return ResourceState(kind, place, tuple(sorted(facts.items())), text)


def owner_fact(name: str) -> str:
    """The fact that holds the owner of a file in a directory, as plans show it."""
    return f"owner of {name}"


def digest(prints: Mapping[str, str]) -> str:
    """A short digest of a set of fingerprints."""
    return short_digest(repr(sorted(prints.items())))


def fingerprint(resource: Resource) -> tuple[str, str] | None:
    """Path and fingerprint of the applied resource; None if it is not a path."""
    match resource:
        case File():
            return resource.path, hashlib.sha256(resource.content).hexdigest()
        case Artefact():
            return resource.path, resource.sha256
        case Link():
            return resource.path, f"link:{resource.target}"
        case Directory():
            return resource.path, "directory"
        case Absent():
            return resource.path, "absent"
        case _:
            return None


def desired(resource: Resource, prints: Mapping[str, str]) -> ResourceState | None:
    """The desired state; ``prints`` are the fingerprints after the apply. None if the resource must be absent."""
    owned = {"type": "file", "owner": "root:root"}
    found: ResourceState | None
    match resource:
        case Package():
            found = _package(resource)
        case User():
            found = state("user", resource.name, exists="yes")
        case Directory():
            files = {owner_fact(name): resource.owner for name in resource.written}
            found = state(
                "directory", resource.path, type="directory", mode=f"{resource.mode:04o}", owner=resource.owner, **files
            )
        case File():
            sha = hashlib.sha256(resource.content).hexdigest()
            owned["owner"] = resource.owner
            found = state("file", resource.path, _text(resource), **owned, mode=f"{resource.mode:04o}", sha256=sha)
        case Link():
            found = state("link", resource.path, type="link", target=resource.target)
        case Artefact():
            found = state("artefact", resource.path, **owned, mode=f"{resource.mode:04o}", sha256=resource.sha256)
        case Unit():
            found = _unit(resource, prints)
        case Absent():
            found = None
    return found


def _package(package: Package) -> ResourceState:
    version = {"version": package.deb.version} if package.deb is not None and package.dependency_only else {}
    found = state("package", package.name, installed="yes", masked=",".join(sorted(package.mask)), **version)
    if package.deb is None:
        return found
    note = "from the bundle, as a dependency" if package.dependency_only else "from the bundle"
    return replace(found, label=f"{package.name} {package.deb.version}", note=note)


def _unit(unit: Unit, prints: Mapping[str, str]) -> ResourceState:
    started = digest({path: prints.get(path, "absent") for path in unit.restart_on}) if unit.active else ""
    loaded = digest({path: prints.get(path, "absent") for path in unit.reload_on}) if unit.active else ""
    found = state(
        "unit",
        unit.name,
        enabled=_word(unit.enabled),
        active=_word(unit.active),
        started_with=started,
        loaded_with=loaded,
    )
    return replace(found, note=f"creates {', '.join(unit.makes)}") if unit.makes else found


def _word(value: bool) -> str:
    return "yes" if value else "no"


def _text(file: File) -> str | None:
    if file.secret:
        return None
    try:
        return file.content.decode()
    except UnicodeDecodeError:
        return None

"""The plan of an environment as a value: steps by phase, sorted, printable, with counts and a digest. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rancherctl.change import Change, Unknown
from rancherctl.change import Plan as Changes
from rancherctl.environments.phases import PhaseName, phase
from rancherctl.environments.pki.wanted import CertChange
from rancherctl.hosts.plan import action, describe
from rancherctl.hosts.state import ResourceState
from rancherctl.kube.client import Json


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that will be done: on ``host`` ("" = in the API), a ``verb`` on a ``kind`` called ``name``; ``detail`` lines for the reader."""

    host: str
    kind: str
    verb: str
    name: str
    detail: tuple[str, ...] = ()

    def line(self) -> str:
        """``verb kind name``."""
        return f"{self.verb} {self.kind} {self.name}"

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What two steps are compared by."""
        return (self.host, self.kind, self.verb, self.name)


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """The steps of one phase, sorted by host."""

    name: PhaseName
    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """Phases that have something to do, in order; falsy when there are none. ``unknown`` could not be read and is left alone."""

    environment: str
    phases: tuple[PhasePlan, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.phases)

    def steps(self) -> tuple[Step, ...]:
        """All steps in order."""
        return tuple(step for found in self.phases for step in found.steps)

    def counts(self) -> dict[str, int]:
        """How many steps of each verb."""
        out: dict[str, int] = {}
        for step in self.steps():
            out[step.verb] = out.get(step.verb, 0) + 1
        return dict(sorted(out.items()))

    def digest(self) -> str:
        """Twelve hex digits, equal for equal plans."""
        return hashlib.sha256(
            repr((self.environment, [s.identity for s in self.steps()], self.unknown)).encode()
        ).hexdigest()[:12]


_VERBS = {"create": "create", "update": "change", "delete": "remove"}


def resource_step(host: str, change: Change[ResourceState]) -> Step:
    """A change of a host's resource."""
    there = change.new or change.old
    assert there is not None
    verb = _VERBS[change.verb]
    if there.kind == "package" and change.old is None:
        verb = "install"
    if there.kind == "artefact":
        verb = "upload"
    if there.kind == "unit":
        verb = action(change) or verb
    lines = describe(change)
    note = there.note if there.kind != "unit" or change.old is None else ""
    return Step(
        host, there.kind, verb, there.label or there.place, tuple(lines[1:]) or tuple(filter(None, (note, change.why)))
    )


def certificate_step(host: str, change: CertChange) -> Step:
    """A certificate or an authority's file; its content is made during the apply."""
    kind = "certificate" if change.kind == "certificate" else "authority file"
    detail = (
        (f"{change.why}; key {change.path.removesuffix('.crt')}.key stays on the host",)
        if change.kind == "certificate"
        else (change.why,)
    )
    return Step(host, kind, _VERBS[change.verb], change.path, detail)


def object_step(change: Change[Json]) -> Step:
    """An object in the API."""
    body = change.new or change.old or {}
    meta = body.get("metadata", {})
    place = f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta.get("name", change.key))
    return Step("", str(body.get("kind", "object")), _VERBS[change.verb], place, (change.why,) if change.why else ())


def phase_plan(name: PhaseName, steps: Iterable[Step]) -> PhasePlan:
    """A phase with its steps, by host in the order given."""
    return PhasePlan(name, phase(name).title, tuple(steps))


def resource_steps(plans: Mapping[str, Changes[ResourceState]]) -> list[Step]:
    """Steps of all hosts' plans."""
    return [resource_step(host, change) for host in sorted(plans) for change in plans[host]]

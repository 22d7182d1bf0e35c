"""The plan of an environment as a value: steps by phase, sorted, printable, with counts and a digest. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rancherctl.change import Change, Unknown
from rancherctl.change import Plan as Changes
from rancherctl.environments.phase_names import PhaseName
from rancherctl.environments.pki.wanted import CertChange
from rancherctl.hosts.plan import action, describe
from rancherctl.hosts.state import ResourceState
from rancherctl.kube.client import Json
from rancherctl.text import short_digest


@dataclass(frozen=True, slots=True)
class Step:
    """One action: ``verb`` a ``kind`` called ``name`` on ``host`` ("" = in the API). ``detail``: more lines."""

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
        """What plans are compared by: a digest ignores details."""
        return (self.host, self.kind, self.verb, self.name)


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """The steps of one phase, in the order in which they are shown."""

    name: PhaseName
    title: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """Phases that have something to do, in order; falsy without any. ``unknown`` could not be read, so it stays."""

    environment: str
    phases: tuple[PhasePlan, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.phases)

    def phase(self, name: PhaseName) -> PhasePlan | None:
        """The part of one phase, None if it has nothing to do."""
        return next((part for part in self.phases if part.name == name), None)

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
        return short_digest(repr((self.environment, [s.identity for s in self.steps()], self.unknown)))


_VERBS = {"create": "create", "update": "change", "delete": "remove"}


def resource_step(host: str, change: Change[ResourceState]) -> Step:
    """A change of a host's resource."""
    state = change.new or change.old
    assert state is not None
    verb = _VERBS[change.verb]
    if state.kind == "package" and change.old is None:
        verb = "install"
    if state.kind == "artefact":
        verb = "upload"
    if state.kind == "unit":
        verb = action(change) or verb
    lines = describe(change)
    note = state.note if state.kind != "unit" or change.old is None else ""
    return Step(
        host, state.kind, verb, state.label or state.place, tuple(lines[1:]) or tuple(filter(None, (note, change.why)))
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


def resource_steps(plans: Mapping[str, Changes[ResourceState]]) -> list[Step]:
    """Steps of all hosts' plans, sorted by host."""
    return [resource_step(host, change) for host in sorted(plans) for change in plans[host]]

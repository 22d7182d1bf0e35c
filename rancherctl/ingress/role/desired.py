"""From a snapshot of the API to the model for one host: placement, what is kept, merging, endpoints. Pure but for its memory.

The memory is only speed: results per object version, so that one change among thousands does not translate the others again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rancherctl.ingress.model import BackendRef, Model, Problem, Roster, Server, Translated
from rancherctl.ingress.placement import Placement, place
from rancherctl.ingress.translate import classes, endpoints, merge
from rancherctl.ingress.translate.endpoints import Found
from rancherctl.ingress.translate.merge import Merged
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.objects import EndpointSlice, Ingress, IngressClass, Service

MAX_TOLD = 5
"""Problems of backends for one Ingress: a host's report is one object of bounded size, and one user's Ingress must not fill it."""
Slices = Mapping[str, list[EndpointSlice]]


@dataclass(slots=True)
class Memory:
    """Translations by (key, uid, resource version), placements by key for one roster."""

    translated: dict[str, tuple[tuple[str, str], Translated]] = field(default_factory=dict)
    placed: dict[str, tuple[Translated, Placement]] = field(default_factory=dict)
    roster: Roster | None = None
    slices: Mapping[str, EndpointSlice] = field(default_factory=dict)
    by_service: dict[str, list[EndpointSlice]] = field(default_factory=dict)
    found: dict[str, tuple[Service | None, list[EndpointSlice] | None, Found]] = field(default_factory=dict)

    def translate(self, ingress: Ingress) -> Translated:
        """``translate``, remembered by object version."""
        version = (ingress.meta.uid, ingress.meta.resource_version)
        known = self.translated.get(ingress.meta.key)
        if known is not None and known[0] == version and version[1]:
            return known[1]
        fresh = translate(ingress)
        self.translated[ingress.meta.key] = (version, fresh)
        return fresh

    def place(self, t: Translated, roster: Roster) -> Placement:
        """``place``, remembered for one roster; callers pass the same object while it stays, so that thousands of calls compare none."""
        if self.roster is not roster:
            if self.roster is None or self.roster.hosts != roster.hosts:
                self.placed.clear()
            self.roster = roster
        known = self.placed.get(t.key)
        if known is not None and known[0] is t:
            return known[1]
        fresh = place(t, roster)
        self.placed[t.key] = (t, fresh)
        return fresh

    def index(self, slices: Mapping[str, EndpointSlice]) -> Mapping[str, list[EndpointSlice]]:
        """``endpoints.index``, remembered for one table. Lists that stayed the same keep their identity: what was found by them is still right."""
        if self.slices is not slices:
            before = self.slices
            new = [s for key, s in slices.items() if before.get(key) is not s]
            gone = [s for key, s in before.items() if slices.get(key) is not s]
            left = {id(s) for s in gone}
            for key in {s.service_key for s in (*new, *gone) if s.service}:
                self.by_service[key] = [s for s in self.by_service.get(key, ()) if id(s) not in left]
            for entry in new:
                if entry.service:
                    self.by_service[entry.service_key].append(entry)
            for key in {s.service_key for s in gone if s.service and not self.by_service[s.service_key]}:
                del self.by_service[key]
            self.slices = slices
        return self.by_service

    def find(
        self, ref: BackendRef, services: Mapping[str, Service], slices: Slices, resolved: Mapping[str, Sequence[str]]
    ) -> Found:
        """``endpoints.find``, remembered as long as the Service and its slices are the same objects."""
        key = f"{ref.namespace}/{ref.service}"
        service, own = services.get(key), slices.get(key)
        known = self.found.get(ref.key)
        if (
            known is not None
            and known[0] is service
            and known[1] is own
            and (service is None or service.type != "ExternalName")
        ):
            return known[2]
        fresh = endpoints.find(ref, services, slices, resolved)
        self.found[ref.key] = (service, own, fresh)
        return fresh

    def forget(self, ingresses: Mapping[str, Any]) -> None:
        """Drop what no longer exists."""
        for table in (self.translated, self.placed):
            for key in [k for k in table if k not in ingresses]:
                del table[key]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The model of one host, and problems of its backends by Ingress key."""

    model: Model
    problems: Mapping[str, tuple[Problem, ...]]


def translate_ours(
    ingresses: Mapping[str, Ingress], table: Mapping[str, IngressClass], memory: Memory
) -> dict[str, Translated]:
    """All Ingresses of our class, translated."""
    memory.forget(ingresses)
    return {key: memory.translate(i) for key, i in ingresses.items() if not i.meta.deleting and classes.ours(i, table)}


def model(
    translated: Mapping[str, Translated],
    serving: frozenset[str],
    merged: Merged,
    memory: Memory,
    *,
    services: Mapping[str, Service],
    slices: Slices,
    resolved: Mapping[str, tuple[str, ...]],
    port: int,
) -> Wanted:
    """What HAProxy must do on a host that serves ``serving``."""
    keys = merge.loaded(translated, serving)
    routes = merged.routes_of(keys)
    servers: dict[str, tuple[Server, ...]] = {}
    troubles: dict[str, Problem] = {}
    used = {r.backend.key: r.backend for r in routes}
    for key in memory.found.keys() - used.keys():
        del memory.found[key]
    for ref in used.values():
        found = memory.find(ref, services, slices, resolved)
        servers[ref.key] = found.servers
        if found.problem:
            troubles[ref.key] = found.problem
    problems = (
        {key: told for key in sorted(serving & keys) if (told := _troubles(translated[key], troubles))}
        if troubles
        else {}
    )
    loaded = {key: translated[key].hash for key in sorted(keys) if translated[key].placeable or key in serving}
    bare = frozenset[str]().union(*(translated[key].bare if key in loaded else translated[key].hosts for key in keys))
    return Wanted(Model((port,) if keys else (), routes, servers, loaded, bare), problems)


def _troubles(t: Translated, troubles: Mapping[str, Problem]) -> tuple[Problem, ...]:
    found = [troubles[b] for b in sorted({r.backend.key for r in t.routes}) if b in troubles]
    if len(found) <= MAX_TOLD:
        return tuple(found)
    rest = Problem("MoreBackends", f"{len(found) - MAX_TOLD} more backends of this ingress have problems")
    return (*found[:MAX_TOLD], rest)


def refs(translated: Mapping[str, Translated]) -> set[BackendRef]:
    """All backends that any Ingress names."""
    return set({route.backend.key: route.backend for t in translated.values() for route in t.routes}.values())

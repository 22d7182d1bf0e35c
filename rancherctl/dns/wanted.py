"""All desired record sets, updated incrementally: a changed object costs its own records, not a rebuild. Pure.

Objects are compared by identity: the watch cache keeps the same object until it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rancherctl.dns import records
from rancherctl.dns.model import RecordSet
from rancherctl.kube.objects import EndpointSlice, Pod, Service

Changes = dict[str, RecordSet | None]
FIXED = "zone:"
"""Owner of the records that belong to no object."""


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The keys whose object was added, removed or replaced."""
    if old is new:
        return []
    missing = object()
    keys = [key for key, value in new.items() if old.get(key, missing) is not value]
    added = sum(1 for key in keys if key not in old)
    if len(old) + added != len(new):
        keys.extend(key for key in old if key not in new)
    return keys


@dataclass(slots=True)
class Wanted:
    """The records of all objects seen so far. Methods return the changed record sets by plan key; None = removed.

    ``problems`` has one line for each Service (``namespace/name``) that could not be published completely.
    """

    shape: records.Shape
    problems: dict[str, str] = field(default_factory=dict)
    _groups: dict[str, tuple[RecordSet, ...]] = field(default_factory=dict)
    _owners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _services: Mapping[str, Service] = field(default_factory=dict)
    _slices: Mapping[str, EndpointSlice] = field(default_factory=dict)
    _pods: Mapping[str, Pod] = field(default_factory=dict)
    _slices_of: dict[str, set[str]] = field(default_factory=dict)

    def fixed(self, addresses: Iterable[str]) -> Changes:
        """Set the records that belong to no object."""
        return self._put(FIXED, records.fixed_records(self.shape, addresses).sets)

    def update(
        self, services: Mapping[str, Service], slices: Mapping[str, EndpointSlice], pods: Mapping[str, Pod]
    ) -> Changes:
        """Apply new tables.

        ``pods`` may be empty: then pods have no names, and hostnames come from the slices only.
        """
        touched = set(changed(self._services, services))
        for key in changed(self._slices, slices):
            old, new = self._slices.get(key), slices.get(key)
            if old is not None:
                self._slices_of[old.service_key].discard(key)
                touched.add(old.service_key)
            if new is not None:
                self._slices_of.setdefault(new.service_key, set()).add(key)
                touched.add(new.service_key)
        moved = changed(self._pods, pods)
        for key in moved:
            for pod in (self._pods.get(key), pods.get(key)):
                if pod is not None and pod.subdomain:
                    touched.add(f"{pod.meta.namespace}/{pod.subdomain}")
        self._services, self._slices, self._pods = services, slices, pods
        out: Changes = {}
        for name in touched:
            out.update(self._service(name))
        for key in moved:
            found = pods.get(key)
            out.update(
                self._put(f"pod:{key}", records.pod_records(found, self.shape).sets if found is not None else ())
            )
        return out

    def _service(self, name: str) -> Changes:
        service = self._services.get(name)
        members = self._slices_of.get(name, set())
        if not members:
            self._slices_of.pop(name, None)
        if service is None:
            self.problems.pop(name, None)
            return self._put(f"svc:{name}", ())
        group = records.service_records(service, (self._slices[key] for key in members), self.shape, self._identity)
        if group.problems:
            self.problems[name] = "; ".join(group.problems[:5])
        else:
            self.problems.pop(name, None)
        return self._put(f"svc:{name}", group.sets)

    def _identity(self, pod_key: str, service: str) -> str:
        return records.identity_of(self._pods, pod_key, service)

    def _put(self, owner: str, sets: tuple[RecordSet, ...]) -> Changes:
        before = {s.key: s for s in self._groups.get(owner, ())}
        after = {s.key: s for s in sets}
        if sets:
            self._groups[owner] = sets
        else:
            self._groups.pop(owner, None)
        keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        for key in before.keys() - after.keys():
            rest = tuple(o for o in self._owners[key] if o != owner)
            if rest:
                self._owners[key] = rest
            else:
                del self._owners[key]
        alone = (owner,)  # one tuple for all of an object's names: there are tens of thousands
        for key in after.keys() - before.keys():
            self._owners[key] = tuple(sorted((*others, owner))) if (others := self._owners.get(key)) else alone
        # Two Services of the same thousand pods share a thousand names: index each group once, not once for each name.
        shared = {
            key: owners for key in keys if (owners := self._owners.get(key)) and not (key in after and len(owners) == 1)
        }
        groups = {o: {s.key: s for s in self._groups[o]} for o in {o for owners in shared.values() for o in owners}}
        return {
            key: _merged([groups[o][key] for o in shared[key]]) if key in shared else after.get(key) for key in keys
        }


def _merged(parts: Sequence[RecordSet]) -> RecordSet:
    first = parts[0]
    if len(parts) == 1:
        return first
    rdatas = sorted({rdata for part in parts for rdata in part.rdatas})
    return RecordSet(first.name, first.type, tuple(records.fit(first.type, rdatas)), first.ttl)

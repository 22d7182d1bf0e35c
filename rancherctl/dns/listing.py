"""The desired records for ``dns ls``, computed from the API by the code that the agents run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rancherctl.dns import named_conf, names
from rancherctl.dns.model import DnsHostConfig, RecordSet
from rancherctl.dns.records import Shape
from rancherctl.dns.wanted import Wanted
from rancherctl.kube import tables
from rancherctl.kube.client import KubeClient
from rancherctl.kube.tables import TableSpec


def _items(client: KubeClient, spec: TableSpec) -> dict[str, Any]:
    return {(view := spec.parse(obj)).meta.key: view for obj in client.list(spec.resource).items}


def wanted_records(client: KubeClient, config: DnsHostConfig) -> tuple[list[RecordSet], Mapping[str, str]]:
    """All desired record sets, sorted by name and type, and the problems by ``namespace/service``."""
    wanted = Wanted(Shape(config.domain, frozenset(named_conf.zones(config))))
    found = wanted.fixed(config.addresses)
    pods = _items(client, tables.PODS) if config.pod_names else {}
    found.update(wanted.update(_items(client, tables.SERVICES), _items(client, tables.ENDPOINTSLICES), pods))
    return sorted(
        (s for s in found.values() if s is not None), key=lambda s: (s.name.split(".")[::-1], s.type)
    ), wanted.problems


def select(sets: Iterable[RecordSet], what: str, config: DnsHostConfig) -> list[RecordSet]:
    """Select the record sets of a zone, a Service or a name; "" selects all.

    ``what`` is a zone (``43.10.in-addr.arpa``), a Service (``mongodb``, ``mongodb.ns``, ``ns/mongodb``) or a full name.
    The records of a Service include its reverse records.
    """
    if not what:
        return list(sets)
    zones = frozenset(named_conf.zones(config))
    text = what.lower().rstrip(".")
    if f"{text}." in zones:
        return [s for s in sets if names.zone_of(s.name, zones) == f"{text}."]
    end = f".svc.{config.domain}."
    namespace, slash, name = text.partition("/")
    service = f"{name}.{namespace}" if slash else text.removesuffix(end.rstrip(".")).removesuffix(".svc")

    def belongs(name: str) -> bool:
        owner = ".".join(name.removesuffix(end).split(".")[-2:]) if name.endswith(end) else ""
        return service in (owner, owner.partition(".")[0])

    return [
        s
        for s in sets
        if names.queried(s.name) == f"{text}." or belongs(s.name) or (s.type == "PTR" and any(map(belongs, s.rdatas)))
    ]

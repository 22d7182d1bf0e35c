"""Where a member and its addresses are: region and zone from its settings, else from the labels of its Nodes. Pure.

Values of labels may have characters that DNS labels cannot: they are normalised, or left out with a problem.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, Final

from rancherctl.contract import PUBLIC_ADDRESS_ANNOTATION
from rancherctl.federation.addresses import never_published
from rancherctl.federation.model import Place
from rancherctl.kube import objects
from rancherctl.kube.objects import Meta
from rancherctl.names import is_dns_label
from rancherctl.text import quoted

REGION_LABEL: Final = "topology.kubernetes.io/region"
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
_OTHER: Final = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class NodePlace:
    """A Node of a member: its addresses, and its region and zone as its labels have them."""

    meta: Meta
    addresses: tuple[str, ...]
    region: str = ""
    zone: str = ""


def node_place(obj: Mapping[str, Any]) -> NodePlace:
    """v1 Node."""
    node = objects.node(obj)
    public = node.meta.annotations.get(PUBLIC_ADDRESS_ANNOTATION, "")
    addresses = [address for kind, address in node.addresses if kind in ("InternalIP", "ExternalIP")]
    labels = node.meta.labels
    return NodePlace(
        Meta("", node.meta.name, node.meta.uid, node.meta.resource_version),
        tuple(dict.fromkeys((*([public] if public else []), *addresses))),
        labels.get(REGION_LABEL, ""),
        labels.get(ZONE_LABEL, ""),
    )


def dns_label(text: str) -> str | None:
    """A region or zone as a DNS label: ``EU_West.1`` becomes ``eu-west-1``; None if nothing usable is left."""
    label = _OTHER.sub("-", text.lower()).strip("-")
    return label if is_dns_label(label) else None


@dataclass(frozen=True, slots=True)
class Topology:
    """Of one member: where it is, where each address is, all its zones, and what cannot be used."""

    place: Place
    addresses: Mapping[str, Place]
    zones: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def topology(region: str, zones: Sequence[str], labels: Mapping[str, str], nodes: Iterable[NodePlace]) -> Topology:
    """``region`` and ``zones`` are the member's own settings ("" = none), ``labels`` those of its Cluster."""
    found, problems = list(nodes), list[str]()

    def usable(text: str, what: str) -> str | None:
        label = dns_label(text) if text else None
        if text and label is None:
            problems.append(f"{what} {quoted(text)} has no form that DNS allows")
        return label

    regions = Counter(label for node in found if (label := usable(node.region, "the region")))
    all_zones = Counter(label for node in found if (label := usable(node.zone, "the zone")))
    own_region = usable(region, "the region") or usable(labels.get(REGION_LABEL, ""), "the region")
    own_zones = [label for zone in zones if (label := usable(zone, "the zone"))]
    if not own_zones and (label := usable(labels.get(ZONE_LABEL, ""), "the zone")):
        own_zones = [label]
    member = Place(own_region or _commonest(regions), own_zones[0] if own_zones else _commonest(all_zones))
    places = {
        address: Place(own_region or dns_label(node.region) or member.region, _zone(own_zones, node, member))
        for node in found
        for address in node.addresses
    }
    every = tuple(sorted({*own_zones, *(p.zone for p in places.values() if p.zone)}))
    return Topology(member, places, every, tuple(dict.fromkeys(problems)))


def _zone(own: Sequence[str], node: NodePlace, member: Place) -> str | None:
    label = dns_label(node.zone) if node.zone else None
    if own:
        return label if label in own else own[0]
    return label or member.zone


def _commonest(found: Counter[str]) -> str | None:
    """The most frequent value; of several the first in the alphabet."""
    return min(found, key=lambda value: (-found[value], value), default=None)


def refusal(address: str, allowed: Sequence[str]) -> str:
    """Why a member may not publish this address; "" if it may. ``allowed`` are networks or addresses."""
    return _refusal(address, tuple(allowed))


@lru_cache(maxsize=1 << 14)
def _refusal(address: str, allowed: tuple[str, ...]) -> str:
    if why := never_published(address):
        return why
    ip = ip_address(address)
    if not any(ip in ip_network(entry, strict=False) for entry in allowed):
        return "not in spec.addresses of the Cluster"
    return ""

"""What a member gets of a federated object: what the user said, and nothing that an API server filled in. Pure.

Rule R-e: clusterIP travels only as "None"; clusterIPs, ipFamilies and healthCheckNodePort never; ipFamilyPolicy and a
nodePort only if a field manager other than the federation owns it (managers are computed before the API server
allocates). Facts: Kubernetes 1.36 stores defaults for what a user leaves out, so that digests compare with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_LABEL, FEDERATION_PREFIX, STATUS_ANNOTATION
from rancherctl.text import short_digest

Json = dict[str, Any]

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
KEPT_HERE: Final = (
    FEDERATION_PREFIX,
    "federation.kubernetes.io/",
    "federation.alpha.kubernetes.io/",
    "external-dns.alpha.kubernetes.io/",
    STATUS_ANNOTATION,
    "deployment.kubernetes.io/revision",
    LAST_APPLIED,
)
"""Annotations and labels with these beginnings do not travel: they say what happens in the federation's own API."""
_SERVER_LABELS: Final = ("kubernetes.io/metadata.name",)
_DROPPED: Final = ("clusterIP", "clusterIPs", "ipFamilies", "healthCheckNodePort", "ipFamilyPolicy")


def travelling(values: Mapping[str, str]) -> dict[str, str]:
    """The labels or annotations of a federated object that its copies get."""
    return {
        key: value
        for key, value in sorted(values.items())
        if not key.startswith(KEPT_HERE) and key not in _SERVER_LABELS and key != FEDERATION_LABEL
    }


def owned_by_user(obj: Mapping[str, Any]) -> frozenset[str]:
    """The fields of a Service that are allocated unless somebody said them, as far as somebody did.

    ``ipFamilyPolicy``, and ``nodePort/PORT/PROTOCOL``. Without managedFields nothing counts as said.
    """
    out: set[str] = set()
    for entry in (obj.get("metadata") or {}).get("managedFields") or ():
        if entry.get("manager") == FEDERATION_CONTROLLER or entry.get("subresource"):
            continue
        spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        if "f:ipFamilyPolicy" in spec:
            out.add("ipFamilyPolicy")
        for key, fields in (spec.get("f:ports") or {}).items():
            if key.startswith("k:") and isinstance(fields, dict) and "f:nodePort" in fields:
                port = json.loads(key[2:])
                out.add(f"nodePort/{port.get('port')}/{port.get('protocol', 'TCP')}")
    return frozenset(out)


def service_spec(obj: Mapping[str, Any]) -> Json:
    """The spec that copies of a Service get."""
    spec, said = dict(obj.get("spec") or {}), owned_by_user(obj)
    out = {key: value for key, value in spec.items() if key not in _DROPPED and key != "ports"}
    if spec.get("clusterIP") == "None":
        out["clusterIP"] = "None"
    if "ipFamilyPolicy" in said and "ipFamilyPolicy" in spec:
        out["ipFamilyPolicy"] = spec["ipFamilyPolicy"]
    ports = []
    for port in spec.get("ports") or ():
        key = f"nodePort/{port.get('port')}/{port.get('protocol', 'TCP')}"
        ports.append({k: v for k, v in port.items() if k != "nodePort" or key in said})
    if ports:
        out["ports"] = ports
    return out


def body(kind: str, obj: Mapping[str, Any]) -> Json:
    """``metadata.labels``, ``metadata.annotations`` and ``spec`` of the copies of a federated object."""
    metadata = obj.get("metadata") or {}
    out: Json = {
        "metadata": {
            "labels": travelling(metadata.get("labels") or {}),
            "annotations": travelling(metadata.get("annotations") or {}),
        }
    }
    if kind == "Service":
        out["spec"] = service_spec(obj)
    return out


def normalised(spec: Mapping[str, Any]) -> Json:
    """The spec of a Service with the defaults of the API server, without what it allocates: equal means the same."""
    out = {key: value for key, value in spec.items() if key not in _DROPPED and value not in (None, [], {})}
    kind = out.setdefault("type", "ClusterIP")
    out.setdefault("sessionAffinity", "None")
    if out["sessionAffinity"] == "ClientIP":
        out.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    if kind in ("NodePort", "LoadBalancer"):
        out.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        out.setdefault("allocateLoadBalancerNodePorts", True)
    if kind != "ExternalName":
        out.setdefault("internalTrafficPolicy", "Cluster")
    out["headless"] = spec.get("clusterIP") == "None"
    ports = [_normal_port(port, headless=out["headless"]) for port in spec.get("ports") or ()]
    out["ports"] = sorted(ports, key=lambda port: (port["port"], port["protocol"]))
    return out


def _normal_port(port: Mapping[str, Any], *, headless: bool) -> Json:
    out = {key: value for key, value in port.items() if key != "nodePort" and value not in (None, "")}
    out.setdefault("protocol", "TCP")
    out.setdefault("targetPort", port.get("port"))
    if headless and out["targetPort"] == 0:
        out["targetPort"] = port.get("port")
    return out


def node_ports(spec: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """``PORT/PROTOCOL`` → nodePort of the ports that have one, sorted."""
    return tuple(
        sorted(
            (f"{port.get('port')}/{port.get('protocol', 'TCP')}", int(port["nodePort"]))
            for port in spec.get("ports") or ()
            if port.get("nodePort")
        )
    )


def spec_digest(spec: Mapping[str, Any]) -> str:
    """16 hex digits: equal for specs that mean the same, whatever an API server allocated."""
    return short_digest(json.dumps(normalised(spec), sort_keys=True, separators=(",", ":")), 16)


def first_difference(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> str:
    """The first field, as ``spec.ports``, in which a live Service differs from what is wanted; "" if none does."""
    left, right = normalised(wanted), normalised(live)
    for key in sorted(left.keys() | right.keys()):
        if left.get(key) != right.get(key):
            return "spec.clusterIP" if key == "headless" else f"spec.{key}"
    return next(("spec.ports" for port in node_ports(wanted) if port not in node_ports(live)), "")


def added_ports(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether a live Service has ports that are not wanted."""

    def keys(spec: Mapping[str, Any]) -> set[tuple[object, object]]:
        return {(port.get("port"), port.get("protocol", "TCP")) for port in _ports(spec)}

    return bool(keys(live) - keys(wanted))


def kept_in_member(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> Json:
    """The spec for taking over a Service of a member: what is wanted, with the addresses and ports allocated there."""
    out = dict(wanted)
    for field in ("clusterIP", "clusterIPs", "ipFamilies", "healthCheckNodePort", "externalIPs"):
        if field in live and field not in out:
            out[field] = live[field]
    allocated = {(p.get("port"), p.get("protocol", "TCP")): p["nodePort"] for p in _ports(live) if p.get("nodePort")}
    ports = []
    for port in _ports(out):
        key = (port.get("port"), port.get("protocol", "TCP"))
        ports.append({**port, "nodePort": allocated[key]} if "nodePort" not in port and key in allocated else port)
    if ports:
        out["ports"] = ports
    return out


def _ports(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    ports: Sequence[Mapping[str, Any]] = spec.get("ports") or ()
    yield from ports

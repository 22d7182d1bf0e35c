"""Parsers of API objects: foreign JSON is shrunk to slim views here, at the border, and nowhere else.

Every parser takes the object's JSON dict and never raises on missing optional parts. The views themselves are in
``views`` and can be
imported from here too. Pure: no I/O. Source: the Kubernetes API reference, v1.36.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from rancherctl.contract import COPY_LABEL, TLS_PURPOSE
from rancherctl.kube.views import (
    ConfigMap,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    IngressTls,
    Lease,
    Meta,
    Node,
    Pod,
    Secret,
    Service,
    ServicePort,
    TlsSecret,
)

__all__ = [
    "ConfigMap",
    "Endpoint",
    "EndpointPort",
    "EndpointSlice",
    "Ingress",
    "IngressBackend",
    "IngressClass",
    "IngressPath",
    "IngressRule",
    "IngressTls",
    "Lease",
    "Meta",
    "Node",
    "Pod",
    "Secret",
    "Service",
    "ServicePort",
    "TlsSecret",
]

Json = Mapping[str, Any]


def meta(obj: Json) -> Meta:
    """metadata of any object."""
    m = obj.get("metadata") or {}
    return Meta(
        namespace=m.get("namespace", ""),
        name=m.get("name", ""),
        uid=m.get("uid", ""),
        resource_version=m.get("resourceVersion", ""),
        created=m.get("creationTimestamp") or "",
        labels=m.get("labels") or {},
        annotations={
            k: v
            for k, v in (m.get("annotations") or {}).items()
            if k != "kubectl.kubernetes.io/last-applied-configuration"
        },
        deleting=bool(m.get("deletionTimestamp")),
    )


def service(obj: Json) -> Service:
    """v1 Service."""
    spec = obj.get("spec") or {}
    ips = tuple(spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else []))
    headless = bool(ips) and ips[0] == "None"
    status = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return Service(
        meta=meta(obj),
        type=spec.get("type", "ClusterIP"),
        cluster_ips=() if headless else ips,
        headless=headless,
        families=tuple(spec.get("ipFamilies") or ()),
        ports=tuple(
            ServicePort(
                p.get("name") or "",
                p.get("protocol", "TCP"),
                int(p["port"]),
                p.get("targetPort", p["port"]),
                p.get("nodePort", 0),
                p.get("appProtocol") or "",
            )
            for p in spec.get("ports") or ()
        ),
        external_name=spec.get("externalName") or "",
        publish_not_ready=bool(spec.get("publishNotReadyAddresses")),
        has_selector=bool(spec.get("selector")),
        lb_addresses=tuple(e.get("ip") or e.get("hostname") or "" for e in status),
        lb_plain=all(e.get("ip") and e.get("ipMode", "VIP") == "VIP" and not e.get("hostname") for e in status),
        lb_class=spec.get("loadBalancerClass") or "",
        lb_requested=spec.get("loadBalancerIP") or "",
        local=spec.get("externalTrafficPolicy") == "Local",
        source_ranges=tuple(spec.get("loadBalancerSourceRanges") or ()),
        affinity=affinity if (affinity := spec.get("sessionAffinity") or "None") != "None" else "",
        health_check_port=spec.get("healthCheckNodePort") or 0,
        conditions=tuple((obj.get("status") or {}).get("conditions") or ()),
    )


def _endpoint(e: Json) -> Endpoint:
    c = e.get("conditions") or {}
    ready = c.get("ready") is not False
    serving = c.get("serving")
    ref = e.get("targetRef") or {}
    return Endpoint(
        addresses=tuple(e.get("addresses") or ()),
        ready=ready,
        serving=ready if serving is None else bool(serving),
        terminating=bool(c.get("terminating")),
        hostname=e.get("hostname") or "",
        node=e.get("nodeName") or "",
        pod=ref.get("name", "") if ref.get("kind") == "Pod" else "",
        zone=e.get("zone") or "",
    )


def endpoint_slice(obj: Json) -> EndpointSlice:
    """discovery.k8s.io/v1 EndpointSlice."""
    m = meta(obj)
    return EndpointSlice(
        meta=m,
        service=m.labels.get("kubernetes.io/service-name", ""),
        address_type=obj.get("addressType", ""),
        ports=tuple(
            EndpointPort(p.get("name") or "", p.get("protocol") or "TCP", p.get("port") or 0)
            for p in obj.get("ports") or ()
        ),
        endpoints=tuple(_endpoint(e) for e in obj.get("endpoints") or ()),
    )


def pod(obj: Json) -> Pod:
    """v1 Pod."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    ips = tuple(p["ip"] for p in status.get("podIPs") or () if p.get("ip")) or (
        (status["podIP"],) if status.get("podIP") else ()
    )
    return Pod(
        meta=meta(obj),
        phase=status.get("phase", ""),
        ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ()),
        ips=ips,
        node=spec.get("nodeName") or "",
        host_network=bool(spec.get("hostNetwork")),
        hostname=spec.get("hostname") or "",
        subdomain=spec.get("subdomain") or "",
        host_ports=tuple(_host_ports(spec)),
    )


def _host_ports(spec: Json) -> Iterator[tuple[str, int]]:
    """Ports of the node that go to a pod, by protocol in lower case; some init containers go on running."""
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield (port.get("protocol") or "TCP").lower(), int(port["hostPort"])


def node(obj: Json) -> Node:
    """v1 Node."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    condition: Json = next((c for c in status.get("conditions") or () if c.get("type") == "Ready"), {})
    ready = condition.get("status")
    return Node(
        meta=meta(obj),
        addresses=tuple((a["type"], a["address"]) for a in status.get("addresses") or ()),
        pod_cidrs=tuple(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])),
        ready={"True": True, "False": False}.get(ready or ""),
        unschedulable=bool(spec.get("unschedulable")),
        taints=tuple((t.get("key", ""), t.get("value", ""), t.get("effect", "")) for t in spec.get("taints") or ()),
        kubelet_version=(status.get("nodeInfo") or {}).get("kubeletVersion", ""),
        trouble="" if ready == "True" else condition.get("message", ""),
    )


def _backend(b: Json | None) -> IngressBackend | None:
    if not b:
        return None
    if r := b.get("resource"):
        return IngressBackend(resource=f"{r.get('kind', '')}/{r.get('name', '')}")
    s = b.get("service") or {}
    p = s.get("port") or {}
    return IngressBackend(service=s.get("name", ""), port_number=p.get("number") or 0, port_name=p.get("name") or "")


def _common_ports(entries: Sequence[Json]) -> tuple[int, ...] | None:
    """The TCP ports that all entries of a status have; None if they differ, or one has an error or another protocol."""
    every = [e.get("ports") or () for e in entries]
    if any(p.get("protocol") != "TCP" or p.get("error") for ports in every for p in ports):
        return None
    found = {tuple(p.get("port") or 0 for p in ports) for ports in every}
    return found.pop() if len(found) == 1 else None if found else ()


def ingress(obj: Json) -> Ingress:
    """networking.k8s.io/v1 Ingress."""
    spec = obj.get("spec") or {}
    status = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    ports = _common_ports(status)
    return Ingress(
        meta=meta(obj),
        class_name=spec.get("ingressClassName"),
        default_backend=_backend(spec.get("defaultBackend")),
        rules=tuple(
            IngressRule(
                r.get("host") or "",
                tuple(
                    IngressPath(
                        p.get("path") or "", p.get("pathType", ""), _backend(p.get("backend")) or IngressBackend()
                    )
                    for p in (r.get("http") or {}).get("paths") or ()
                ),
            )
            for r in spec.get("rules") or ()
        ),
        tls=tuple(IngressTls(tuple(t.get("hosts") or ()), t.get("secretName") or "") for t in spec.get("tls") or ()),
        status=tuple(e.get("ip") or e.get("hostname") or "" for e in status),
        status_ports=ports or (),
        status_says_more=ports is None or any(e.get("ip") and e.get("hostname") for e in status),
    )


def tls_secret(obj: Json) -> TlsSecret:
    """v1 Secret, of which only certificate and key are kept. Data that is not base64 reads as empty."""
    data = obj.get("data") or {}
    return TlsSecret(meta(obj), _decoded(data.get("tls.crt")), _decoded(data.get("tls.key")))


def secret(obj: Json, keys: Collection[str]) -> Secret:
    """v1 Secret, of which only these ``keys`` are kept, as far as it has them."""
    data = obj.get("data") or {}
    return Secret(meta(obj), obj.get("type") or "", {key: _decoded(data[key]) for key in keys if key in data})


def secret_copy(obj: Json) -> TlsSecret | Secret:
    """A copy of a Secret in the namespace of a host: of a TLS secret, or of one for another purpose."""
    if ((obj.get("metadata") or {}).get("labels") or {}).get(COPY_LABEL) == TLS_PURPOSE:
        return tls_secret(obj)
    return secret(obj, (obj.get("data") or {}).keys())


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)  # type: ignore[arg-type]
    except (binascii.Error, TypeError, ValueError):
        return b""


def ingress_class(obj: Json) -> IngressClass:
    """networking.k8s.io/v1 IngressClass."""
    m = meta(obj)
    default = m.annotations.get("ingressclass.kubernetes.io/is-default-class") == "true"
    return IngressClass(m, (obj.get("spec") or {}).get("controller", ""), default)


def lease(obj: Json) -> Lease:
    """coordination.k8s.io/v1 Lease."""
    s = obj.get("spec") or {}
    return Lease(
        meta(obj),
        s.get("holderIdentity") or "",
        s.get("renewTime") or "",
        s.get("leaseTransitions") or 0,
        s.get("leaseDurationSeconds") or 0,
    )


def config_map(obj: Json) -> ConfigMap:
    """v1 ConfigMap."""
    return ConfigMap(meta(obj), obj.get("data") or {})

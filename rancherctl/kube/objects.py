"""Slim frozen views of API objects and their parsers: foreign JSON is shrunk here, at the border, and nowhere else.

Every parser takes the object's JSON dict and never raises on missing optional parts; lists become tuples. Keys are
``namespace/name``. Pure: no I/O. Sources: the Kubernetes API reference, v1.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Meta:
    """The part of metadata that we use; ``created`` is RFC 3339 text as the server wrote it (sorts by time)."""

    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    deleting: bool = False

    @property
    def key(self) -> str:
        """``namespace/name``, or ``name`` for cluster-wide kinds."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class ServicePort:
    """``target_port`` is a number or a container port's name; "" name = unnamed."""

    name: str
    protocol: str
    port: int
    target_port: int | str
    node_port: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """``cluster_ips`` is empty for headless and ExternalName services; ``headless`` tells the first."""

    meta: Meta
    type: str
    cluster_ips: tuple[str, ...]
    headless: bool
    families: tuple[str, ...]
    ports: tuple[ServicePort, ...]
    external_name: str = ""
    publish_not_ready: bool = False
    has_selector: bool = True
    lb_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointPort:
    """One port of a slice; ``port`` 0 means any."""

    name: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. ``ready`` None in the API counts as ready; ``serving`` defaults to ready; ``terminating`` to False."""

    addresses: tuple[str, ...]
    ready: bool
    serving: bool
    terminating: bool
    hostname: str = ""
    node: str = ""
    pod: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """``service`` is the owning Service's name ("" = none); ``address_type`` IPv4, IPv6 or FQDN."""

    meta: Meta
    service: str
    address_type: str
    ports: tuple[EndpointPort, ...]
    endpoints: tuple[Endpoint, ...]

    @property
    def service_key(self) -> str:
        """``namespace/service`` of the owner."""
        return f"{self.meta.namespace}/{self.service}"


@dataclass(frozen=True, slots=True)
class Pod:
    """``phase`` as in the API; ``ready`` is the Ready condition."""

    meta: Meta
    phase: str
    ready: bool
    ips: tuple[str, ...]
    node: str = ""
    host_network: bool = False
    hostname: str = ""
    subdomain: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """``addresses`` is a tuple of (type, address) as the kubelet reported them; ``ready`` None = condition unknown or absent."""

    meta: Meta
    addresses: tuple[tuple[str, str], ...]
    pod_cidrs: tuple[str, ...]
    ready: bool | None
    unschedulable: bool
    taints: tuple[tuple[str, str, str], ...] = ()
    kubelet_version: str = ""

    def address(self, kind: str) -> str:
        """The first address of ``InternalIP``, ``ExternalIP`` or ``Hostname``; "" if none."""
        return next((a for k, a in self.addresses if k == kind), "")


@dataclass(frozen=True, slots=True)
class IngressBackend:
    """A service backend by port number or name; ``resource`` names an unsupported resource backend as ``kind/name``."""

    service: str = ""
    port_number: int = 0
    port_name: str = ""
    resource: str = ""


@dataclass(frozen=True, slots=True)
class IngressPath:
    """``path`` "" means everything."""

    path: str
    path_type: str
    backend: IngressBackend


@dataclass(frozen=True, slots=True)
class IngressRule:
    """``host`` "" means any host."""

    host: str
    paths: tuple[IngressPath, ...]


@dataclass(frozen=True, slots=True)
class IngressTls:
    """Hosts and the name of the secret in the Ingress's namespace."""

    hosts: tuple[str, ...]
    secret: str


@dataclass(frozen=True, slots=True)
class Ingress:
    """``class_name`` is spec.ingressClassName, None if absent; ``status`` the addresses (ip or hostname) in status.loadBalancer, as stored."""

    meta: Meta
    class_name: str | None
    default_backend: IngressBackend | None
    rules: tuple[IngressRule, ...]
    tls: tuple[IngressTls, ...]
    status: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IngressClass:
    """``default`` from the annotation ingressclass.kubernetes.io/is-default-class."""

    meta: Meta
    controller: str
    default: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """``renew`` is the text of renewTime: compare for change only, never with a clock."""

    meta: Meta
    holder: str
    renew: str
    transitions: int = 0
    duration: int = 0


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """``data`` only; binaryData is not read."""

    meta: Meta
    data: Mapping[str, str]


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
        annotations={k: v for k, v in (m.get("annotations") or {}).items() if k != "kubectl.kubernetes.io/last-applied-configuration"},
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
            ServicePort(p.get("name") or "", p.get("protocol", "TCP"), int(p["port"]), p.get("targetPort", p["port"]), p.get("nodePort", 0))
            for p in spec.get("ports") or ()
        ),
        external_name=spec.get("externalName") or "",
        publish_not_ready=bool(spec.get("publishNotReadyAddresses")),
        has_selector=bool(spec.get("selector")),
        lb_addresses=tuple(e.get("ip") or e.get("hostname") or "" for e in status),
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
        ports=tuple(EndpointPort(p.get("name") or "", p.get("protocol") or "TCP", p.get("port") or 0) for p in obj.get("ports") or ()),
        endpoints=tuple(_endpoint(e) for e in obj.get("endpoints") or ()),
    )


def pod(obj: Json) -> Pod:
    """v1 Pod."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    ips = tuple(p["ip"] for p in status.get("podIPs") or () if p.get("ip")) or ((status["podIP"],) if status.get("podIP") else ())
    return Pod(
        meta=meta(obj),
        phase=status.get("phase", ""),
        ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ()),
        ips=ips,
        node=spec.get("nodeName") or "",
        host_network=bool(spec.get("hostNetwork")),
        hostname=spec.get("hostname") or "",
        subdomain=spec.get("subdomain") or "",
    )


def node(obj: Json) -> Node:
    """v1 Node."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    ready = next((c.get("status") for c in status.get("conditions") or () if c.get("type") == "Ready"), None)
    return Node(
        meta=meta(obj),
        addresses=tuple((a["type"], a["address"]) for a in status.get("addresses") or ()),
        pod_cidrs=tuple(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])),
        ready={"True": True, "False": False}.get(ready or ""),
        unschedulable=bool(spec.get("unschedulable")),
        taints=tuple((t.get("key", ""), t.get("value", ""), t.get("effect", "")) for t in spec.get("taints") or ()),
        kubelet_version=(status.get("nodeInfo") or {}).get("kubeletVersion", ""),
    )


def _backend(b: Json | None) -> IngressBackend | None:
    if not b:
        return None
    if r := b.get("resource"):
        return IngressBackend(resource=f"{r.get('kind', '')}/{r.get('name', '')}")
    s = b.get("service") or {}
    p = s.get("port") or {}
    return IngressBackend(service=s.get("name", ""), port_number=p.get("number") or 0, port_name=p.get("name") or "")


def ingress(obj: Json) -> Ingress:
    """networking.k8s.io/v1 Ingress."""
    spec = obj.get("spec") or {}
    status = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return Ingress(
        meta=meta(obj),
        class_name=spec.get("ingressClassName"),
        default_backend=_backend(spec.get("defaultBackend")),
        rules=tuple(
            IngressRule(
                r.get("host") or "",
                tuple(
                    IngressPath(p.get("path") or "", p.get("pathType", ""), _backend(p.get("backend")) or IngressBackend())
                    for p in (r.get("http") or {}).get("paths") or ()
                ),
            )
            for r in spec.get("rules") or ()
        ),
        tls=tuple(IngressTls(tuple(t.get("hosts") or ()), t.get("secretName") or "") for t in spec.get("tls") or ()),
        status=tuple(e.get("ip") or e.get("hostname") or "" for e in status),
    )


def ingress_class(obj: Json) -> IngressClass:
    """networking.k8s.io/v1 IngressClass."""
    m = meta(obj)
    default = m.annotations.get("ingressclass.kubernetes.io/is-default-class") == "true"
    return IngressClass(m, (obj.get("spec") or {}).get("controller", ""), default)


def lease(obj: Json) -> Lease:
    """coordination.k8s.io/v1 Lease."""
    s = obj.get("spec") or {}
    return Lease(
        meta(obj), s.get("holderIdentity") or "", s.get("renewTime") or "", s.get("leaseTransitions") or 0, s.get("leaseDurationSeconds") or 0
    )


def config_map(obj: Json) -> ConfigMap:
    """v1 ConfigMap."""
    return ConfigMap(meta(obj), obj.get("data") or {})

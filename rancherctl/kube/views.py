"""Slim frozen views of API objects: what the rest of the program knows of a Node, a Service, an Ingress … Pure values.

Lists are tuples; keys are ``namespace/name``. ``objects`` parses JSON into them. Source: Kubernetes API 1.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
    """``target_port`` is a number or a container port's name; "" name = unnamed, "" ``app_protocol`` = not given."""

    name: str
    protocol: str
    port: int
    target_port: int | str
    node_port: int = 0
    app_protocol: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """``cluster_ips`` is empty for headless and ExternalName services; ``headless`` tells the first.

    ``lb_*`` are the part of type LoadBalancer: addresses in the status (``lb_plain``: each is an IP address with ipMode
    VIP and nothing else), class, and the address that the user asks for. ``local``: externalTrafficPolicy Local.
    ``affinity`` is "ClientIP", or "" for none. ``conditions`` are the status's own, as JSON objects.
    """

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
    lb_plain: bool = True
    lb_class: str = ""
    lb_requested: str = ""
    local: bool = False
    source_ranges: tuple[str, ...] = ()
    affinity: str = ""
    health_check_port: int = 0
    conditions: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class EndpointPort:
    """One port of a slice; ``port`` 0 means any."""

    name: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint. ``ready`` None in the API means ready; ``serving`` defaults to ready; ``terminating`` to False."""

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
    """``phase`` as in the API; ``ready`` is the Ready condition. ``host_ports``: protocol in lower case and number."""

    meta: Meta
    phase: str
    ready: bool
    ips: tuple[str, ...]
    node: str = ""
    host_network: bool = False
    hostname: str = ""
    subdomain: str = ""
    host_ports: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """``addresses``: (type, address) pairs reported by the kubelet; ``ready`` None: condition unknown or absent.

    ``trouble`` is what the condition says when it is not True.
    """

    meta: Meta
    addresses: tuple[tuple[str, str], ...]
    pod_cidrs: tuple[str, ...]
    ready: bool | None
    unschedulable: bool
    taints: tuple[tuple[str, str, str], ...] = ()
    kubelet_version: str = ""
    trouble: str = ""

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
    """``class_name``: spec.ingressClassName, None if absent; ``status``: addresses or names in status.loadBalancer.

    ``status_ports`` are the TCP ports that each entry there has; ``status_says_more``: an entry has both an address and
    a name, or something else about ports.
    """

    meta: Meta
    class_name: str | None
    default_backend: IngressBackend | None
    rules: tuple[IngressRule, ...]
    tls: tuple[IngressTls, ...]
    status: tuple[str, ...] = ()
    status_ports: tuple[int, ...] = ()
    status_says_more: bool = False


@dataclass(frozen=True, slots=True)
class TlsSecret:
    """A Secret with a certificate and its private key as stored, decoded; empty if it has none."""

    meta: Meta
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret of another kind: ``type``, and those keys of its ``data`` that are read, decoded."""

    meta: Meta
    type: str = ""
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)


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

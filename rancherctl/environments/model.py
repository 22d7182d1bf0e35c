"""An environment as frozen values: what its file says, with defaults filled in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Literal

from rancherctl.contract import LINK_LOCAL_DNS
from rancherctl.hosts.model import Host, Role
from rancherctl.net import join_host_port

KIND: Final = "Environment"
DEFAULT_KUBERNETES: Final = "1.36.3"
LOCAL_API_PORT: Final = 7443
LOCAL_API: Final = f"https://127.0.0.1:{LOCAL_API_PORT}"
Mode = Literal["routed", "vxlan", "none"]
ExternalNames = Literal["allow", "deny"]
TlsRedirect = Literal["auto", "off"]
Provider = Literal["rfc2136", "none"]
Offline = Literal["drop", "keep"]
WhenNone = Literal["keep", "remove"]
LoggedRequests = Literal["errors", "all", "none"]


@dataclass(frozen=True, slots=True)
class Network:
    """Pod and Service ranges (IPv4 CIDRs), and the pod network.

    ``routed``: routes on a shared subnet, VXLAN across subnets; ``vxlan``: VXLAN everywhere; ``none``: an add-on's.

    ``check_seconds``: how often each host checks that its pods reach DNS, the API and pods of other hosts.
    ``open_firewall``: whether hosts' firewalls get rules that accept hosts and pods.
    """

    pod_cidr: str = "10.42.0.0/16"
    service_cidr: str = "10.43.0.0/16"
    mode: Mode = "routed"
    check_seconds: int = 60
    open_firewall: bool = False


@dataclass(frozen=True, slots=True)
class Dns:
    """``upstreams`` () = each host's own resolvers. ``federations`` maps a federation's name to its domain.

    ``stub_domains``: (domain, its servers), sorted. Servers and upstreams are ``IP[:PORT]``. ``max_negative_ttl``:
    seconds for which hosts cache that an external name does not exist.
    """

    domain: str = "cluster.local"
    upstreams: tuple[str, ...] = ()
    federations: Mapping[str, str] = field(default_factory=dict)
    stub_domains: tuple[tuple[str, tuple[str, ...]], ...] = ()
    max_negative_ttl: int = 30


@dataclass(frozen=True, slots=True)
class Api:
    """What kubeconfigs use; ``address`` "" = the first control-plane host."""

    address: str = ""
    port: int = 6443
    extra_sans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IngressSettings:
    """Which hosts carry load balancers: those with ``role`` ("" = any) and all ``labels``.

    ``default_class``: whether IngressClass ``rancher`` is the API's default. ``trusted_proxies`` are networks of
    proxies whose X-Forwarded headers count, ``proxy_protocol`` networks of those that speak PROXY protocol.
    ``external_names``: whether ExternalName Services are served. ``default_certificate`` is the secret (namespace/name)
    for clients whose name has no certificate ("" = refuse them); ``tls_redirect``: whether plain requests to sites with
    a certificate are redirected to HTTPS. ``keys_on_disk``: whether hosts store the keys of certificates, so that HTTPS
    answers after a reboot without the API; otherwise they are in memory only. ``access_log``: which requests of
    Ingresses without the annotation are logged.
    """

    role: str = "worker"
    labels: Mapping[str, str] = field(default_factory=dict)
    default_class: bool = True
    trusted_proxies: tuple[str, ...] = ()
    proxy_protocol: tuple[str, ...] = ()
    external_names: ExternalNames = "allow"
    default_certificate: str = ""
    tls_redirect: TlsRedirect = "auto"
    keys_on_disk: bool = True
    access_log: LoggedRequests = "errors"

    def wants(self, host: Host) -> bool:
        """Whether the host is chosen."""
        return (not self.role or self.role in host.roles) and all(
            host.labels.get(k) == v for k, v in self.labels.items()
        )


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """``default``: whether Services of type LoadBalancer without a class get addresses.

    None: the file does not say it. Then a new environment has it, and one that was applied by a release without this
    feature does not (``services_default.settled``).
    """

    default: bool | None = None


@dataclass(frozen=True, slots=True)
class FederationSettings:
    """What makes an environment a federation. ``zone`` is the public DNS zone of its names.

    ``provider``: how names get there; ``none`` publishes no names. ``servers`` and ``transfer_servers`` are addresses
    of primary name servers with or without a port; () transfers from ``servers``. ``ttl`` in seconds. ``offline``: what
    happens to the addresses of a member that does not answer, ``when_none``: to the last ones of a name.
    """

    zone: str
    provider: Provider = "rfc2136"
    servers: tuple[str, ...] = ()
    transfer_servers: tuple[str, ...] = ()
    ttl: int = 30
    offline: Offline = "drop"
    when_none: WhenNone = "keep"


@dataclass(frozen=True, slots=True)
class Environment:
    """A whole environment; hosts stay in the file's order. ``federation`` is None for all but federations."""

    name: str
    hosts: tuple[Host, ...]
    kubernetes: str = DEFAULT_KUBERNETES
    labels: Mapping[str, str] = field(default_factory=dict)
    network: Network = field(default_factory=Network)
    dns: Dns = field(default_factory=Dns)
    api: Api = field(default_factory=Api)
    ingress: IngressSettings = field(default_factory=IngressSettings)
    services: ServiceSettings = field(default_factory=ServiceSettings)
    federation: FederationSettings | None = None

    def host(self, name: str) -> Host | None:
        """The host of that name, or None."""
        return next((h for h in self.hosts if h.name == name), None)

    def with_role(self, role: Role) -> tuple[Host, ...]:
        """Hosts of a role in the file's order."""
        return tuple(h for h in self.hosts if h.is_a(role))

    def lb_hosts(self) -> tuple[Host, ...]:
        """Hosts that carry load balancers."""
        return tuple(h for h in self.hosts if self.carries_load_balancers(h))

    def carries_load_balancers(self, host: Host) -> bool:
        """Whether the host is one of those that ``spec.ingress.hosts`` selects."""
        return not self.is_federation and self.ingress.wants(host)

    @property
    def is_federation(self) -> bool:
        """Whether it runs a federation: a control plane for members' objects, without workloads of its own."""
        return self.federation is not None

    @property
    def runs_pods(self) -> bool:
        """Whether workloads run in it; in a federation none do."""
        return not self.is_federation

    @property
    def has_workers(self) -> bool:
        """Whether any host runs workloads; a federation has none."""
        return bool(self.with_role("worker"))

    @property
    def routes_pods(self) -> bool:
        """Whether rancherctl makes the pod network; otherwise a network add-on does."""
        return self.network.mode != "none"

    def api_endpoint(self) -> str:
        """``address:port`` that kubeconfigs use: spec.api.address, else that of the first control-plane host."""
        default = next(a for h in self.with_role("controlplane") for a in (h.public_address, h.address) if a)
        return join_host_port(self.api.address or default, self.api.port)

    def server(self) -> str:
        """The URL that kubeconfigs use."""
        return f"https://{self.api_endpoint()}"

    def service_ip(self, index: int) -> str:
        """The ``index``-th address of the Service range: 1 is the API's Service, 10 is DNS."""
        return str(IPv4Address(int(IPv4Network(self.network.service_cidr).network_address) + index))

    def dns_addresses(self) -> tuple[str, str]:
        """Where every host's DNS server listens: the link-local address and the usual Service address of DNS."""
        return (LINK_LOCAL_DNS, self.service_ip(10))

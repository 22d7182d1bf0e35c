"""An environment as frozen values, exactly what its file says with defaults filled in. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Literal

from rancherctl.hosts.model import Host, Role

API_VERSION: Final = "rancherctl.io/v1alpha1"
KIND: Final = "Environment"
DEFAULT_KUBERNETES: Final = "1.36.3"
LINK_LOCAL_DNS: Final = "169.254.20.10"
LOCAL_API_PORT: Final = 7443
LOCAL_API: Final = f"https://127.0.0.1:{LOCAL_API_PORT}"
Mode = Literal["routed", "none"]


@dataclass(frozen=True, slots=True)
class Network:
    """Pod and Service ranges (CIDR text, IPv4) and who makes the pod network: ``routed`` = we do, ``none`` = another product."""

    pod_cidr: str = "10.42.0.0/16"
    service_cidr: str = "10.43.0.0/16"
    mode: Mode = "routed"


@dataclass(frozen=True, slots=True)
class Dns:
    """``upstreams`` () = each host's own resolvers. ``federations`` maps a federation's name to its domain."""

    domain: str = "cluster.local"
    upstreams: tuple[str, ...] = ()
    federations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Api:
    """What kubeconfigs use; ``address`` "" = the first control-plane host."""

    address: str = ""
    port: int = 6443
    extra_sans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ingress:
    """Which hosts carry load balancers: those with ``role`` ("" = any) and all ``labels``; ``default_class`` = our class is the API's default."""

    role: str = "worker"
    labels: Mapping[str, str] = field(default_factory=dict)
    default_class: bool = True

    def wants(self, host: Host) -> bool:
        """Whether the host is chosen."""
        return (not self.role or self.role in host.roles) and all(
            host.labels.get(k) == v for k, v in self.labels.items()
        )


def bracketed(address: str) -> str:
    """An address as it stands before a port: ``[fd00::1]``."""
    return f"[{address}]" if ":" in address else address


@dataclass(frozen=True, slots=True)
class Environment:
    """A whole environment; hosts stay in the file's order."""

    name: str
    hosts: tuple[Host, ...]
    kubernetes: str = DEFAULT_KUBERNETES
    labels: Mapping[str, str] = field(default_factory=dict)
    network: Network = field(default_factory=Network)
    dns: Dns = field(default_factory=Dns)
    api: Api = field(default_factory=Api)
    ingress: Ingress = field(default_factory=Ingress)

    def host(self, name: str) -> Host | None:
        """The host of that name, or None."""
        return next((h for h in self.hosts if h.name == name), None)

    def with_role(self, role: Role) -> tuple[Host, ...]:
        """Hosts of a role in the file's order."""
        return tuple(h for h in self.hosts if h.is_a(role))

    def lb_hosts(self) -> tuple[Host, ...]:
        """Hosts that carry load balancers."""
        return tuple(h for h in self.hosts if self.ingress.wants(h))

    def api_endpoint(self) -> str:
        """``address:port`` that kubeconfigs use; an IPv6 address stands in brackets."""
        first = self.with_role("controlplane")[0]
        return f"{bracketed(self.api.address or first.public_address or first.address)}:{self.api.port}"

    def server(self) -> str:
        """The URL that kubeconfigs use."""
        return f"https://{self.api_endpoint()}"

    def service_ip(self, index: int) -> str:
        """The ``index``-th address of the Service range: 1 is the API's own Service, 10 is DNS."""
        return str(IPv4Address(int(IPv4Network(self.network.service_cidr).network_address) + index))

    def dns_addresses(self) -> tuple[str, str]:
        """Where every host's DNS server listens: the link-local address and the one that pods of other products expect."""
        return (LINK_LOCAL_DNS, self.service_ip(10))

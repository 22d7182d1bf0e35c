"""RoleSpec and ControllerSpec: what a role of a host's agent, or a controller, declares. Pure.

Derived from the declarations: rights in the API, ports that preflight checks, what a removal takes away, the titles
and problems that `env status` prints, the units that the agent starts after, and which roles a host's agent runs. The
command line imports them, so a declaration imports nothing heavy: ``module`` names the role's code, which ``agents``
loads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from rancherctl.hosts.model import Resource
from rancherctl.hosts.transport import Transport
from rancherctl.kube.rbac import Right
from rancherctl.kube.snapshot import Snapshot
from rancherctl.kube.tables import TableSpec

Relist = Callable[[tuple[str, ...]], None]
"""Lists the named tables of the watch cache again."""


class HostSettings(Protocol):
    """What a role reads of the configuration of its host's agent (agents.config.AgentConfig)."""

    @property
    def node(self) -> str: ...
    @property
    def internal(self) -> str: ...
    @property
    def public(self) -> str: ...
    @property
    def pod_cidr(self) -> str: ...
    @property
    def service_cidr(self) -> str: ...
    @property
    def network_mode(self) -> Literal["routed", "vxlan", "none"]: ...
    @property
    def pod_check_seconds(self) -> int: ...
    @property
    def open_firewall(self) -> bool: ...
    @property
    def dns_domain(self) -> str: ...
    @property
    def dns_addresses(self) -> tuple[str, ...]: ...
    @property
    def dns_upstreams(self) -> tuple[str, ...]: ...
    @property
    def dns_stub_domains(self) -> tuple[tuple[str, tuple[str, ...]], ...]: ...
    @property
    def dns_max_negative_ttl(self) -> int: ...
    @property
    def http_port(self) -> int: ...
    @property
    def https_port(self) -> int: ...
    @property
    def default_certificate(self) -> str: ...
    @property
    def tls_redirect(self) -> bool: ...
    @property
    def keys_on_disk(self) -> bool: ...
    @property
    def trusted_proxies(self) -> tuple[str, ...]: ...
    @property
    def proxy_protocol(self) -> tuple[str, ...]: ...
    @property
    def external_names(self) -> bool: ...
    @property
    def access_log(self) -> str: ...
    @property
    def ingress_reserved(self) -> tuple[int, ...]: ...


class HostRole(Protocol):
    """One concern of a host's agent, run in its own thread; calls of ``reconcile`` never overlap."""

    name: str
    tables: tuple[TableSpec, ...]
    resync: float
    """Seconds after which reconcile is called even if nothing changed, to repair drift."""

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Make the host agree with the snapshot and return the role's section of the host's report.

        The section holds JSON values: content hashes, problems. Tables may not be synced yet (first start while the
        API is down): then serve what is on disk. An exception is reported and retried with back-off.
        """

    def stop(self) -> None:
        """Release what the role holds; HAProxy and named keep serving."""


class RoleModule(Protocol):
    """The code of a role: a module with these two functions."""

    @staticmethod
    def build(settings: HostSettings, transport: Transport, relist: Relist) -> HostRole:
        """Return the role that the agent runs; on hosts only."""

    @staticmethod
    def resources(settings: HostSettings) -> tuple[Resource, ...]:
        """What `env apply` puts on a host for the role: packages, files and units. Pure."""


@dataclass(frozen=True, slots=True)
class PortUse:
    """A port that a role listens on, and for what; preflight requires that it is free."""

    protocol: Literal["tcp", "udp"]
    port: int
    use: str


def section_problems(section: Mapping[str, Any]) -> list[str]:
    """What a section of a host's report says is wrong: its error, else its alarm."""
    text = section.get("error") or section.get("alarm")
    return [str(text)] if text else []


@dataclass(frozen=True, slots=True)
class ServingUnit:
    """A unit whose restart clients notice: hosts follow one after another, and each must serve again before the next.

    The folders and files in ``paths`` change together with the ``unit``. It listens on TCP ``port`` of the host's
    address if it has anything to serve. ``seen`` returns what the role's section of a host report says: the number of
    the unit's process (None: nothing), and whether it serves.
    """

    unit: str
    paths: tuple[str, ...]
    port: int
    seen: Callable[[Mapping[str, Any]], tuple[object, bool]]


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role of a host's agent.

    ``name`` is stored: in agent.json and as the name of the section in host reports. ``title`` names the role to
    operators. ``module`` is the RoleModule with its code. ``tables`` are all that the role may watch: the right to
    read them follows, ``rights`` are the others. ``own_tables`` are further ones that only the host itself may watch,
    by its name. ``hosts``: every host, or those that carry load balancers; ``in_federation``: whether federations have
    the role, too. A removal takes away ``paths``,
    ``runtime_paths`` (made at run time by the role's packages; kept if they were there before the environment),
    ``devices`` and ``nft_tables``. ``health`` returns what the role's section of a host report says is wrong.
    ``serving`` is what clients connect to.
    """

    name: str
    title: str
    module: str
    tables: tuple[TableSpec, ...]
    own_tables: tuple[Callable[[str], TableSpec], ...] = ()
    hosts: Literal["all", "load-balancer"] = "all"
    in_federation: bool = False
    rights: tuple[Right, ...] = ()
    units: tuple[str, ...] = ()
    ports: tuple[PortUse, ...] = ()
    paths: tuple[str, ...] = ()
    runtime_paths: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    nft_tables: tuple[str, ...] = ()
    serving: ServingUnit | None = None
    health: Callable[[Mapping[str, Any]], list[str]] = section_problems


@dataclass(frozen=True, slots=True)
class ControllerSpec:
    """A controller of the elected leader.

    The right to read ``tables`` follows from them; ``rights`` are the others. ``in_federation``: whether the controller
    runs in federations, too.
    """

    name: str
    tables: tuple[TableSpec, ...]
    rights: tuple[Right, ...] = ()
    in_federation: bool = False

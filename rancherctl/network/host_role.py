"""The role ``network`` as the agent loads it (role_spec.RoleModule)."""

from __future__ import annotations

from rancherctl.hosts.model import Resource
from rancherctl.hosts.transport import Transport
from rancherctl.network import install
from rancherctl.network.model import NetworkConfig
from rancherctl.role_spec import HostRole, HostSettings, Relist


def config(settings: HostSettings) -> NetworkConfig:
    """The role's part of the agent's configuration."""
    return NetworkConfig(
        settings.node,
        settings.internal,
        settings.pod_cidr,
        settings.service_cidr,
        settings.network_mode,
        settings.dns_addresses,
        settings.open_firewall,
    )


def build(settings: HostSettings, transport: Transport, _: Relist) -> HostRole:
    """Return the role that keeps this host's routes, addresses and CNI configuration."""
    from rancherctl.network.reconcile import NetworkRole

    return NetworkRole(config(settings), transport)


def resources(settings: HostSettings) -> tuple[Resource, ...]:
    """Packages, the boot unit and kernel settings."""
    return install.resources(routed=settings.network_mode != "none")

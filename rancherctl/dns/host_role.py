"""The role ``dns`` as the agent loads it (role_spec.RoleModule)."""

from __future__ import annotations

from rancherctl.dns import install
from rancherctl.dns.model import DnsHostConfig
from rancherctl.hosts.model import Resource
from rancherctl.hosts.transport import Transport
from rancherctl.role_spec import HostRole, HostSettings, Relist


def build(settings: HostSettings, transport: Transport, relist: Relist) -> HostRole:
    """Return the role that keeps this host's DNS server up to date."""
    from rancherctl.dns.daemon import SystemdDaemon
    from rancherctl.dns.query_counters import QueryCounters
    from rancherctl.dns.reconcile import DnsRole
    from rancherctl.dns.status import RUN_FILE

    return DnsRole(
        DnsHostConfig.of(settings),
        SystemdDaemon(transport),
        relist=relist,
        run_file=RUN_FILE,
        counters=QueryCounters(transport),
    )


def resources(settings: HostSettings) -> tuple[Resource, ...]:
    """The package without its own unit, the server's configuration, the unit rancherctl-dns."""
    return install.resources(DnsHostConfig.of(settings))

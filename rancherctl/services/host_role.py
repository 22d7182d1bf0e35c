"""The role ``services`` as the agent loads it (role_spec.RoleModule)."""

from __future__ import annotations

from rancherctl.hosts.model import Resource
from rancherctl.hosts.transport import Transport
from rancherctl.role_spec import HostRole, HostSettings, Relist


def build(settings: HostSettings, transport: Transport, _: Relist) -> HostRole:
    """Return the role that reports ports and what kube-proxy has for published Services."""
    from pathlib import Path

    from rancherctl.contract import RUN
    from rancherctl.services.drain_memory import FILE
    from rancherctl.services.reconcile import ServicesRole

    addresses = tuple(dict.fromkeys(filter(None, (settings.public, settings.internal))))
    return ServicesRole(settings.node, addresses, transport, memory=Path(RUN, FILE))


def resources(_settings: HostSettings) -> tuple[Resource, ...]:
    """``ss`` lists programs with their ports."""
    from rancherctl.hosts.model import Package

    return (Package("iproute2"),)

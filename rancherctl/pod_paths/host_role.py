"""The role ``pod-paths`` as the agent loads it (role_spec.RoleModule)."""

from __future__ import annotations

from rancherctl.hosts.model import Resource
from rancherctl.hosts.transport import Transport
from rancherctl.pod_paths import install
from rancherctl.role_spec import HostRole, HostSettings, Relist


def build(settings: HostSettings, transport: Transport, _: Relist) -> HostRole:
    """Return the role that checks the pod paths of this host."""
    from rancherctl.network.host_role import config as network_config
    from rancherctl.pod_paths.reconcile import PodPathsRole, path_config

    return PodPathsRole(
        path_config(settings), network_config(settings), transport, period=float(settings.pod_check_seconds)
    )


def resources(settings: HostSettings) -> tuple[Resource, ...]:
    """The unit of the check endpoint; nothing where pods have the network of an add-on."""
    return install.resources() if settings.network_mode != "none" else ()

"""Which roles the agent of a host has: one predicate for ports, files and configurations. Pure."""

from __future__ import annotations

from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Host
from rancherctl.role_spec import RoleSpec
from rancherctl.roles.registry import ROLES


def host_roles(environment: Environment, host: Host) -> tuple[RoleSpec, ...]:
    """The roles of this host's agent, in the order in which they start."""
    if environment.is_federation:
        return tuple(spec for spec in ROLES if spec.in_federation)
    return tuple(spec for spec in ROLES if spec.hosts == "all" or environment.carries_load_balancers(host))

"""Load the code of declared roles: build them on a host, collect the resources that they need."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import cast

from rancherctl.agents.config import AgentConfig
from rancherctl.hosts.model import Resource
from rancherctl.hosts.transport import Transport
from rancherctl.role_spec import HostRole, Relist, RoleModule, RoleSpec
from rancherctl.roles.registry import role


def _module(spec: RoleSpec) -> RoleModule:
    return cast("RoleModule", importlib.import_module(spec.module))


def build_roles(config: AgentConfig, transport: Transport, relist: Relist) -> list[HostRole]:
    """Build the roles that the configuration names, in its order."""
    return [_module(role(name)).build(config, transport, relist) for name in config.roles]


def role_resources(specs: Iterable[RoleSpec], config: AgentConfig) -> tuple[Resource, ...]:
    """What these roles need on a host."""
    return tuple(resource for spec in specs for resource in _module(spec).resources(config))

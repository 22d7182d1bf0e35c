"""All roles of a host's agent, in the order in which an agent starts them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rancherctl.dns.role_spec import SPEC as DNS
from rancherctl.ingress.role_spec import SPEC as INGRESS
from rancherctl.kube.rbac import Right, reading
from rancherctl.network.role_spec import SPEC as NETWORK
from rancherctl.pod_paths.role_spec import SPEC as POD_PATHS
from rancherctl.role_spec import RoleSpec
from rancherctl.services.role_spec import SPEC as SERVICES

ROLES: Final[tuple[RoleSpec, ...]] = (NETWORK, DNS, INGRESS, SERVICES, POD_PATHS)
OWN_REQUESTS: Final = Right("certificates.k8s.io", "certificatesigningrequests", ("create", "get"))
"""Agents renew their certificates. Without list and watch, they see only the requests that they created themselves."""


def role(name: str) -> RoleSpec:
    """The role of this name; KeyError if there is none."""
    return {spec.name: spec for spec in ROLES}[name]


def agent_rights(roles: Iterable[RoleSpec] = ROLES) -> tuple[Right, ...]:
    """What agents may do: read the tables of their roles, the roles' own rights, request certificates.

    In the order of the roles' names, because rules are compared as text with those already in the API.
    """
    ordered = sorted(roles, key=lambda spec: spec.name)
    return (*(r for spec in ordered for r in (*map(reading, spec.tables), *spec.rights)), OWN_REQUESTS)


def own_rights(node: str, roles: Iterable[RoleSpec] = ROLES) -> tuple[Right, ...]:
    """What only the agent of this host may read, in the namespace of the host."""
    return tuple(
        reading(table(node)) for spec in sorted(roles, key=lambda spec: spec.name) for table in spec.own_tables
    )

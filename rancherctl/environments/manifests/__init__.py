"""Manifests of the objects that every environment has: namespaces, RBAC, policies, the DNS Service, the IngressClass.

Pure. Not here: writing them (``kube.apply``), objects that the controller creates (Leases, reports, roster), and users'
objects.
"""

from __future__ import annotations

from rancherctl.environments.manifests import base, federation, policies, rights
from rancherctl.environments.model import Environment
from rancherctl.kube.client import Json


def manifests(environment: Environment) -> tuple[Json, ...]:
    """All of them, in the order in which they can be created."""
    return (
        *base.namespaces(environment),
        *base.services(environment),
        *rights.cluster_wide(environment),
        *rights.per_host(environment),
        *policies.policies(environment),
        *(federation.federation() if environment.is_federation else ()),
    )

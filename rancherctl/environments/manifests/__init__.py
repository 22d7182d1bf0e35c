"""The objects that every environment has in its API, as plain manifests: namespaces, rights, the DNS Service, our IngressClass.

Pure. Not here: writing them (``kube.apply``), what the controller makes later (Leases, reports, roster), users' own objects.
"""

from __future__ import annotations

from rancherctl.environments.manifests import base, policies, rights
from rancherctl.environments.model import Environment
from rancherctl.kube.client import Json


def manifests(environment: Environment) -> tuple[Json, ...]:
    """Everything, in the order in which it can be created."""
    return (
        *base.namespaces(),
        *base.services(environment),
        *rights.cluster_wide(),
        *rights.per_host(environment),
        *policies.policies(),
    )

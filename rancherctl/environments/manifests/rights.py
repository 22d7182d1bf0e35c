"""RBAC of an environment: agents, the controller, kubelets, the API server, administrators. Pure."""

from __future__ import annotations

from rancherctl.contract import (
    AGENT_GROUP,
    AGENT_PREFIX,
    CONTROLLER_IDENTITY,
    HOST_LEASE_PREFIX,
    REPORT_PREFIX,
    host_namespace,
)
from rancherctl.environments.manifests.base import SYSTEM, meta
from rancherctl.environments.model import Environment
from rancherctl.kube.client import Json
from rancherctl.kube.rbac import rule, rules
from rancherctl.roles.controllers import COPY_RIGHTS, controller_rights, controllers_of
from rancherctl.roles.registry import ROLES, agent_rights, own_rights

RBAC = "rbac.authorization.k8s.io"
AGENT, CONTROLLER = AGENT_PREFIX.removesuffix(":"), CONTROLLER_IDENTITY
"""Names of the roles; the bindings have the same names."""


def role(name: str, granted: list[Json], namespace: str = "") -> Json:
    """A Role, or a ClusterRole without a namespace."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": meta(name, namespace),
        "rules": granted,
    }


def binding(name: str, to: str, kind: str, subject: str, namespace: str = "", *, cluster_role: bool = True) -> Json:
    """A binding of a role to one User or Group."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": meta(name, namespace),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole" if cluster_role else "Role", "name": to},
        "subjects": [{"apiGroup": RBAC, "kind": kind, "name": subject}],
    }


def cluster_wide(environment: Environment) -> list[Json]:
    """Rights that do not depend on the hosts."""
    federation = environment.is_federation
    agent = agent_rights(spec for spec in ROLES if spec.in_federation or not federation)
    controller = controller_rights(controllers_of(federation=federation))
    return [
        role(AGENT, rules(agent)),
        binding(AGENT, AGENT, "Group", AGENT_GROUP),
        role(AGENT, rules(agent, SYSTEM), SYSTEM),
        binding(AGENT, AGENT, "Group", AGENT_GROUP, SYSTEM, cluster_role=False),
        role(CONTROLLER, rules(controller)),
        binding(CONTROLLER, CONTROLLER, "User", CONTROLLER),
        role(CONTROLLER, rules(controller, SYSTEM), SYSTEM),
        binding(
            CONTROLLER,
            CONTROLLER,
            "User",
            CONTROLLER,
            SYSTEM,
            cluster_role=False,
        ),
        binding("rancherctl:apiserver-kubelet", "system:kubelet-api-admin", "User", "rancherctl:apiserver"),
        binding(
            "rancherctl:node-renewal",
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            "Group",
            "system:nodes",
        ),
        binding("rancherctl:admins", "cluster-admin", "Group", "rancherctl:admins"),
    ]


def per_host(environment: Environment) -> list[Json]:
    """Each agent's own Lease and report, which the controller creates and only this agent writes, and its secrets."""
    out = []
    for host in environment.hosts:
        name = f"{AGENT_PREFIX}{host.name}"
        verbs = ("get", "update", "patch")
        own = [
            rule("coordination.k8s.io", ("leases",), verbs, (f"{HOST_LEASE_PREFIX}{host.name}",)),
            rule("", ("configmaps",), verbs, (f"{REPORT_PREFIX}{host.name}",)),
        ]
        out += [role(name, own, SYSTEM), binding(name, name, "User", name, SYSTEM, cluster_role=False)]
        if environment.carries_load_balancers(host):
            out += _host_namespace(host.name)
    return out


def _host_namespace(host: str) -> list[Json]:
    """The namespace with the secrets that a host needs: its agent reads them, the controller writes them.

    The rights do not change with what is placed on the host.
    """
    name, agent = host_namespace(host), f"{AGENT_PREFIX}{host}"
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": meta(name)},
        role(agent, rules(own_rights(host), name), name),
        binding(agent, agent, "User", agent, name, cluster_role=False),
        role(CONTROLLER, rules(COPY_RIGHTS), name),
        binding(CONTROLLER, CONTROLLER, "User", CONTROLLER, name, cluster_role=False),
    ]

"""RBAC of an environment: agents, the controller, kubelets, the API server, administrators. Pure."""

from __future__ import annotations

from rancherctl.environments.manifests.base import SYSTEM, meta
from rancherctl.environments.model import Environment
from rancherctl.kube.client import Json
from rancherctl.kube.rbac import rule, rules
from rancherctl.roles.controllers import controller_rights
from rancherctl.roles.registry import agent_rights

RBAC = "rbac.authorization.k8s.io"
AGENTS = "rancherctl:agents"


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


def cluster_wide() -> list[Json]:
    """Rights that do not depend on the hosts."""
    agent, controller = agent_rights(), controller_rights()
    return [
        role("rancherctl:agent", rules(agent)),
        binding("rancherctl:agent", "rancherctl:agent", "Group", AGENTS),
        role("rancherctl:agent", rules(agent, SYSTEM), SYSTEM),
        binding("rancherctl:agent", "rancherctl:agent", "Group", AGENTS, SYSTEM, cluster_role=False),
        role("rancherctl:controller", rules(controller)),
        binding("rancherctl:controller", "rancherctl:controller", "User", "rancherctl:controller"),
        role("rancherctl:controller", rules(controller, SYSTEM), SYSTEM),
        binding(
            "rancherctl:controller",
            "rancherctl:controller",
            "User",
            "rancherctl:controller",
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
    """Each agent's own Lease and report: the controller creates them, only this agent writes them."""
    out = []
    for host in environment.hosts:
        name = f"rancherctl:agent:{host.name}"
        verbs = ("get", "update", "patch")
        own = [
            rule("coordination.k8s.io", ("leases",), verbs, (f"host-{host.name}",)),
            rule("", ("configmaps",), verbs, (f"report-{host.name}",)),
        ]
        out += [role(name, own, SYSTEM), binding(name, name, "User", name, SYSTEM, cluster_role=False)]
    return out

"""Who may do what (RBAC): agents, the controller, kubelets' certificate requests, the API server at kubelets, administrators. Pure."""

from __future__ import annotations

from rancherctl.environments.manifests.base import SYSTEM, meta
from rancherctl.environments.model import Environment
from rancherctl.kube.client import Json

RBAC = "rbac.authorization.k8s.io"
READ = ("get", "list", "watch")
AGENTS = "rancherctl:agents"


def rule(group: str, resources: tuple[str, ...], verbs: tuple[str, ...], names: tuple[str, ...] = ()) -> Json:
    """One rule of a role."""
    out: Json = {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
    if names:
        out["resourceNames"] = list(names)
    return out


def role(name: str, rules: list[Json], namespace: str = "") -> Json:
    """A Role, or a ClusterRole without a namespace."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": meta(name, namespace),
        "rules": rules,
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
    return [
        role("rancherctl:agent", _agent()),
        binding("rancherctl:agent", "rancherctl:agent", "Group", AGENTS),
        role("rancherctl:agent", _agent_own(), SYSTEM),
        binding("rancherctl:agent", "rancherctl:agent", "Group", AGENTS, SYSTEM, cluster_role=False),
        role("rancherctl:controller", _controller()),
        binding("rancherctl:controller", "rancherctl:controller", "User", "rancherctl:controller"),
        role("rancherctl:controller", _controller_own(), SYSTEM),
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
    """Each agent's own Lease and report: made by the controller, written by this agent only."""
    out = []
    for host in environment.hosts:
        name = f"rancherctl:agent:{host.name}"
        verbs = ("get", "update", "patch")
        rules = [
            rule("coordination.k8s.io", ("leases",), verbs, (f"host-{host.name}",)),
            rule("", ("configmaps",), verbs, (f"report-{host.name}",)),
        ]
        out += [role(name, rules, SYSTEM), binding(name, name, "User", name, SYSTEM, cluster_role=False)]
    return out


def _agent() -> list[Json]:
    return [
        rule("", ("services", "pods", "nodes"), READ),
        rule("discovery.k8s.io", ("endpointslices",), READ),
        rule("networking.k8s.io", ("ingresses", "ingressclasses"), READ),
        rule("certificates.k8s.io", ("certificatesigningrequests",), ("create", "get")),
    ]


def _agent_own() -> list[Json]:
    return [rule("", ("configmaps",), READ, ("roster",))]


def _controller() -> list[Json]:
    """What its keepers do, and no more; what it may write outside its own namespace are statuses, Events and approvals."""
    return [
        rule("", ("nodes",), READ),
        rule("networking.k8s.io", ("ingresses", "ingressclasses", "networkpolicies"), READ),
        rule("networking.k8s.io", ("ingresses/status",), ("patch",)),
        rule("", ("events",), ("create", "patch")),
        rule("certificates.k8s.io", ("certificatesigningrequests",), READ),
        rule("certificates.k8s.io", ("certificatesigningrequests/approval",), ("update",)),
        rule(
            "certificates.k8s.io",
            ("signers",),
            ("approve",),
            ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client"),
        ),
    ]


def _controller_own() -> list[Json]:
    return [
        rule("coordination.k8s.io", ("leases",), (*READ, "create", "update", "delete")),
        rule("", ("configmaps",), (*READ, "create", "update", "delete")),
    ]

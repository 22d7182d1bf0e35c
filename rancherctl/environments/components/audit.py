"""The API's audit policy: who did what, without the content of Secrets and without components' routine reads. Pure."""

from __future__ import annotations

from rancherctl.contract import AGENT_GROUP, CONTROLLER_IDENTITY

_NOISE = (
    "system:kube-controller-manager",
    "system:kube-scheduler",
    "system:kube-proxy",
    "system:apiserver",
    CONTROLLER_IDENTITY,
)


def policy() -> dict[str, object]:
    """The audit.k8s.io/v1 Policy, whose first matching rule applies.

    Rules about Secrets and tokens come before those that skip the reads of daemons, so that credentials stolen from a
    host leave a trace.
    """
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"]},
            {
                "level": "None",
                "resources": [
                    {"group": "", "resources": ["events"]},
                    {"group": "coordination.k8s.io", "resources": ["leases"]},
                ],
            },
            {"level": "Metadata", "resources": [{"group": "", "resources": ["secrets", "serviceaccounts/token"]}]},
            {"level": "None", "verbs": ["get", "list", "watch"], "userGroups": ["system:nodes", AGENT_GROUP]},
            {"level": "None", "verbs": ["get", "list", "watch"], "users": list(_NOISE)},
            {
                "level": "Metadata",
                "resources": [
                    {"group": "", "resources": ["configmaps"]},
                    {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
                    {"group": "certificates.k8s.io", "resources": ["certificatesigningrequests"]},
                ],
            },
            {"level": "Metadata", "verbs": ["get", "list", "watch"]},
            {"level": "Request", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        ],
    }

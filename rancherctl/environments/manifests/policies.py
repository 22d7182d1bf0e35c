"""ValidatingAdmissionPolicies for what RBAC cannot express. Pure.

- Which tokens a refresh token may request: with a stolen one, an attacker could otherwise get a token that lives for
  years and is not bound to a session, so that ending the session would not revoke it.
- What a kubelet may change in its own Node: with a kubelet's credential, an attacker could otherwise make that host a
  load balancer, or publish foreign addresses for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rancherctl.contract import LOAD_BALANCER_LABEL, OWNED_LABELS_ANNOTATION, PUBLIC_ADDRESS_ANNOTATION
from rancherctl.credentials.tokens import NAMESPACE, TOKEN_SECONDS, refresher, session_secret
from rancherctl.environments.manifests.base import meta
from rancherctl.kube.client import Json

ADMISSION: Final = "admissionregistration.k8s.io"
_BOUND: Final = "object.spec.boundObjectRef"


def policies() -> list[Json]:
    """Both policies with their bindings."""
    return [*_refresh_tokens(), *_nodes()]


def _policy(
    name: str,
    resources: Sequence[str],
    operations: Sequence[str],
    who: str,
    validations: Mapping[str, str],
    *,
    failure: str = "Fail",
) -> list[Json]:
    """A policy for core objects and its binding. ``who``: CEL expression that selects callers.

    ``validations``: CEL expression → message.
    """
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": list(operations), "resources": list(resources)}]
    spec = {
        "failurePolicy": failure,
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [{"name": "who", "expression": who}],
        "validations": [{"expression": expression, "message": message} for expression, message in validations.items()],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {"apiVersion": f"{ADMISSION}/v1", "kind": "ValidatingAdmissionPolicy", "metadata": meta(name), "spec": spec},
        {
            "apiVersion": f"{ADMISSION}/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": meta(name),
            "spec": binding,
        },
    ]


def _refresh_tokens() -> list[Json]:
    who = f"request.userInfo.username.startsWith('system:serviceaccount:{NAMESPACE}:{refresher('')}')"
    session = session_secret("", "").partition("--")[0]
    kind, name = (f"{_BOUND}.?{field}.orValue('')" for field in ("kind", "name"))
    bound = (
        f"has({_BOUND}) && {_BOUND} != null && {kind} == 'Secret'"
        f" && {name}.startsWith('{session}-' + request.name + '-')"
    )
    validations = {
        f"object.spec.expirationSeconds <= {TOKEN_SECONDS}": (
            f"operators' tokens must expire within {TOKEN_SECONDS} seconds"
        ),
        bound: "operators' tokens must be bound to one of their sessions",
    }
    return _policy("rancherctl-refresh-tokens", ["serviceaccounts/token"], ["CREATE"], who, validations)


def _nodes() -> list[Json]:
    """The policy about Nodes. If it cannot be evaluated, requests pass: Nodes that cannot be updated are worse."""

    def kept(part: str, key: str) -> str:
        new, old = (f"{side}.metadata.?{part}[?'{key}'].orValue('')" for side in ("object", "oldObject"))
        return f"{new} == (request.operation == 'UPDATE' ? {old} : '')"

    # Kubelets are configured with their address, and hosts keep it: other hosts route to it and publish it.
    before, now = (f"{side}.?status.?addresses.orValue([])" for side in ("oldObject", "object"))

    def all_in(some: str, others: str) -> str:
        same = f"{others}.exists(b, b.type == a.type && b.address == a.address)"
        return f"{some}.filter(a, a.type in ['InternalIP', 'ExternalIP']).all(a, {same})"

    joining = f"request.operation == 'CREATE' || !{before}.exists(b, b.type == 'InternalIP')"
    set_by_apply = [
        ("labels", LOAD_BALANCER_LABEL),
        ("annotations", PUBLIC_ADDRESS_ANNOTATION),
        ("annotations", OWNED_LABELS_ANNOTATION),
    ]
    validations = {
        kept(part, key): f"{key} is set by `rancherctl env apply`, not by hosts" for part, key in set_by_apply
    }
    validations[f"{joining} || ({all_in(now, before)} && {all_in(before, now)})"] = (
        "a Node keeps the addresses with which it joined (to change them, delete the Node and restart its kubelet)"
    )
    who = "'system:nodes' in request.userInfo.groups"
    return _policy(
        "rancherctl-nodes", ["nodes", "nodes/status"], ["CREATE", "UPDATE"], who, validations, failure="Ignore"
    )

"""What a session's refresh token may ask for: short tokens of its operator that end with a session, enforced by the API itself. Pure.

RBAC can say whose tokens a token may make, not which: without this rule a stolen refresh token could make one that lives for years
and is bound to nothing, and ending the session would not end it.
"""

from __future__ import annotations

from typing import Final

from rancherctl.credentials.tokens import NAMESPACE, TOKEN_SECONDS, refresher, session_secret
from rancherctl.environments.manifests.base import meta
from rancherctl.kube.client import Json

ADMISSION: Final = "admissionregistration.k8s.io"
NAME: Final = "rancherctl-refresh-tokens"
_WHO: Final = f"system:serviceaccount:{NAMESPACE}:{refresher('')}"
_BOUND: Final = "object.spec.boundObjectRef"
_KIND, _NAME = (f"{_BOUND}.?{field}.orValue('')" for field in ("kind", "name"))


def policies() -> list[Json]:
    """The policy and its binding."""
    session = session_secret("", "").partition("--")[0]
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["serviceaccounts/token"]}]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [{"name": "refresh-token", "expression": f"request.userInfo.username.startsWith('{_WHO}')"}],
        "validations": [
            {
                "expression": f"object.spec.expirationSeconds <= {TOKEN_SECONDS}",
                "message": f"tokens of operators live for {TOKEN_SECONDS} seconds at most",
            },
            {
                "expression": f"has({_BOUND}) && {_BOUND} != null && {_KIND} == 'Secret' && {_NAME}.startsWith('{session}-' + request.name + '-')",
                "message": "tokens of operators are bound to a session of theirs",
            },
        ],
    }
    binding = {"policyName": NAME, "validationActions": ["Deny"]}
    return [
        {"apiVersion": f"{ADMISSION}/v1", "kind": "ValidatingAdmissionPolicy", "metadata": meta(NAME), "spec": spec},
        {"apiVersion": f"{ADMISSION}/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": meta(NAME), "spec": binding},
    ]

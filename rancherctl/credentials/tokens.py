"""An operator in an environment's API: ServiceAccounts, rights, sessions and token requests as values.

Pure: no I/O, no clock.

The operator's own ServiceAccount has the rights (cluster-admin by default) and gets tokens of at most an hour. A
second one, ``refresh-<operator>``, may only create such tokens; its long-lived token is in the keyring of the
operator's machine. Both kinds of token are bound to one Secret per session (machine): deleting it ends that session
immediately.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from rancherctl import bound_tokens

Json = dict[str, Any]
NAMESPACE = "rancherctl-operators"
TOKEN_SECONDS = 3600
REFRESH_SECONDS = 30 * 24 * 3600
RBAC = "rbac.authorization.k8s.io"
LABELS = {"app.kubernetes.io/managed-by": "rancherctl"}
LONGEST = 50
"""Room for prefixes within the 63 characters of a name."""


def operator_name(text: str) -> str:
    """A person's name (``alice``, ``Bob@laptop``) as a ServiceAccount's name: unique, and never that of a refresher."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain.startswith(refresher("")):
        plain = f"operator-{plain}"
    if plain == text and len(plain) <= LONGEST:
        return plain
    return f"{plain[: LONGEST - 7].rstrip('-') or 'operator'}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def refresher(operator: str) -> str:
    """The ServiceAccount whose only right is to create tokens for the operator."""
    return f"refresh-{operator}"


def session_secret(operator: str, session: str) -> str:
    """Name of the Secret that a session's tokens are bound to."""
    return f"session-{operator}-{session}"


def operator_objects(operator: str, cluster_role: str = "cluster-admin") -> tuple[Json, ...]:
    """The objects of an operator except sessions, for server-side apply; the namespace is first."""
    name = f"rancherctl:operator:{operator}"
    refresh = refresher(operator)
    rules = [
        {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": [operator], "verbs": ["create"]}
    ]
    return (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": LABELS}},
        _object("v1", "ServiceAccount", operator, automountServiceAccountToken=False),
        _object("v1", "ServiceAccount", refresh, automountServiceAccountToken=False),
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name, "labels": LABELS},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": cluster_role},
            "subjects": [_account(operator)],
        },
        _object(f"{RBAC}/v1", "Role", refresh, rules=rules),
        _object(
            f"{RBAC}/v1",
            "RoleBinding",
            refresh,
            roleRef={"apiGroup": RBAC, "kind": "Role", "name": refresh},
            subjects=[_account(refresh)],
        ),
    )


def token_request(account: str, seconds: int, secret: str, uid: str) -> tuple[str, Json]:
    """(URL path, body) of a POST that creates a token for ``account``, bound to the session's Secret."""
    return bound_tokens.request(NAMESPACE, account, seconds, secret, uid)


def session_path(operator: str, session: str) -> str:
    """URL path of the session's Secret; a DELETE revokes the session."""
    return f"/api/v1/namespaces/{NAMESPACE}/secrets/{session_secret(operator, session)}"


def _object(version: str, kind: str, name: str, **rest: Any) -> Json:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": LABELS},
        **rest,
    }


def _account(name: str) -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}

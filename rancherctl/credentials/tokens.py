"""An operator in an environment's API: ServiceAccounts, rights, sessions and token requests as values.

Pure: no I/O, no clock.

The operator's own ServiceAccount has the rights (cluster-admin by default) and gets tokens of at most an hour. A
second one, ``refresh-<operator>``, may only create such tokens; its long-lived token is in the keyring of the
operator's machine. Both kinds of token are bound to one Secret per session (machine): deleting it ends that session
immediately.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rancherctl.secret import Secret

Json = dict[str, Any]
NAMESPACE = "rancherctl-operators"
TOKEN_SECONDS = 3600
REFRESH_SECONDS = 30 * 24 * 3600
RBAC = "rbac.authorization.k8s.io"
LABELS = {"app.kubernetes.io/managed-by": "rancherctl"}
LONGEST = 50
"""Room for prefixes within the 63 characters of a name."""


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token.

    ``expires`` in seconds since 1970 by the API server's clock, ``seconds`` is its remaining lifetime.
    """

    value: Secret = field(repr=False)
    expires: float
    seconds: float


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
    bound = {"apiVersion": "v1", "kind": "Secret", "name": secret, "uid": uid}
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds, "boundObjectRef": bound},
    }
    return f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token", body


def session_path(operator: str, session: str) -> str:
    """URL path of the session's Secret; a DELETE revokes the session."""
    return f"/api/v1/namespaces/{NAMESPACE}/secrets/{session_secret(operator, session)}"


def parse_token(answer: Mapping[str, Any] | bytes, now: float) -> Token:
    """The token in a TokenRequest's answer; ValueError if missing. ``now`` is used for tokens without an issue time."""
    data = json.loads(answer) if isinstance(answer, bytes) else answer
    status = data.get("status") or {}
    value, until = status.get("token"), status.get("expirationTimestamp")
    if not value or not until:
        raise ValueError("the answer has no token")
    expires = datetime.fromisoformat(str(until).replace("Z", "+00:00")).timestamp()
    issued = _issued(str(value))
    return Token(Secret(value), expires, expires - (now if issued is None else issued))


def _issued(token: str) -> float | None:
    """``iat`` of a JSON web token, which makes the lifetime independent of the difference between two clocks."""
    import base64

    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["iat"])
    except (IndexError, ValueError, KeyError, TypeError):
        return None


def _object(version: str, kind: str, name: str, **rest: Any) -> Json:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": LABELS},
        **rest,
    }


def _account(name: str) -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}

"""Tokens of a federation in a member: requests and answers as values. Pure.

The federation keeps a token of the ServiceAccount ``renewer``, which may only request tokens: of ``controller``, for at
most an hour, which stay in memory, and of itself, for 30 days. All are bound to the Secret ``session`` of the member:
deleting it there ends all access at once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rancherctl.contract import FEDERATION_NAMESPACE_PREFIX
from rancherctl.secret import Secret

CONTROLLER: Final = "controller"
RENEWER: Final = "renewer"
SESSION: Final = "session"
WORK_SECONDS: Final = 3600
RENEWER_SECONDS: Final = 30 * 24 * 3600
TOKEN_KEY: Final = "token"  # noqa: S105 - the name of a key
"""Key of the renewer's token in a member's Secret in the federation; the other is SESSION_UID_KEY."""
SESSION_UID_KEY: Final = "session-uid"


@dataclass(frozen=True, slots=True)
class WorkToken:
    """A token, its lifetime in seconds from now, and when it expires (seconds since 1970 by the member's clock)."""

    value: Secret = field(repr=False)
    seconds: float
    expires: float


def member_namespace(federation: str) -> str:
    """The namespace in a member that has the accounts of a federation."""
    return f"{FEDERATION_NAMESPACE_PREFIX}{federation}"


def request(federation: str, account: str, seconds: int, session_uid: str) -> tuple[str, bytes]:
    """URL path and body of a POST that creates a token of ``account``, bound to the session."""
    bound = {"apiVersion": "v1", "kind": "Secret", "name": SESSION, "uid": session_uid}
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds, "boundObjectRef": bound},
    }
    path = f"/api/v1/namespaces/{member_namespace(federation)}/serviceaccounts/{account}/token"
    return path, json.dumps(body).encode()


def parse(answer: bytes, now: float) -> WorkToken:
    """The token in an answer; ValueError if there is none. ``now``: seconds since 1970."""
    data = json.loads(answer)
    status: Mapping[str, Any] = data.get("status") or {}
    if not status.get("token") or not status.get("expirationTimestamp"):
        raise ValueError("the answer has no token")
    expires = datetime.fromisoformat(str(status["expirationTimestamp"]).replace("Z", "+00:00")).timestamp()
    issued = claim(str(status["token"]), "iat")
    # The member issues and expires it by one clock: the difference does not depend on ours.
    return WorkToken(Secret(str(status["token"])), expires - (now if issued is None else issued), expires)


def claim(token: str, name: str) -> float | None:
    """A number in a JSON web token, which is not verified: ``iat`` or ``exp``, in seconds since 1970."""
    try:
        part = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))[name])
    except (IndexError, ValueError, KeyError, TypeError):
        return None

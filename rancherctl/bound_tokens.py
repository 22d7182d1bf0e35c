"""Tokens of ServiceAccounts that are bound to a Secret: requests and answers as values. Pure.

A token ends at once when the Secret that it is bound to is deleted, whatever its lifetime.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rancherctl.secret import Secret

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token.

    ``expires`` in seconds since 1970 by the API server's clock, ``seconds`` is its remaining lifetime.
    """

    value: Secret = field(repr=False)
    expires: float
    seconds: float


def request(namespace: str, account: str, seconds: int, secret: str, uid: str) -> tuple[str, Json]:
    """(URL path, body) of a POST that creates a token for ``account``, bound to the Secret of its namespace."""
    bound = {"apiVersion": "v1", "kind": "Secret", "name": secret, "uid": uid}
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds, "boundObjectRef": bound},
    }
    return f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", body


def parse(answer: Mapping[str, Any] | bytes, now: float) -> Token:
    """The token in a TokenRequest's answer; ValueError if missing.

    ``now``, in seconds since 1970, is used for tokens without an issue time: with one, the lifetime does not depend on
    the difference between two clocks.
    """
    data = json.loads(answer) if isinstance(answer, bytes) else answer
    status = data.get("status") or {}
    value, until = status.get("token"), status.get("expirationTimestamp")
    if not value or not until:
        raise ValueError("the answer has no token")
    expires = datetime.fromisoformat(str(until).replace("Z", "+00:00")).timestamp()
    issued = claim(str(value), "iat")
    return Token(Secret(str(value)), expires, expires - (now if issued is None else issued))


def claim(token: str, name: str) -> float | None:
    """A number in a JSON web token, which is not verified: ``iat`` or ``exp``, in seconds since 1970."""
    import base64

    try:
        part = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))[name])
    except (IndexError, ValueError, KeyError, TypeError):
        return None

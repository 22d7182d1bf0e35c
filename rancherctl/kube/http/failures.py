"""Translate unsuccessful HTTP responses into our errors; the API's message becomes ``why``. Pure: no I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rancherctl.errors import AuthError, ConflictError, NotFoundError, RancherctlError, UnreachableError
from rancherctl.kube.client import (
    AlreadyExistsError,
    GoneError,
    InvalidObjectError,
    ServerError,
    ThrottledError,
    UnauthorizedError,
)

KINDS: Mapping[int, tuple[type[RancherctlError], str, str]] = {
    400: (InvalidObjectError, "", ""),
    401: (UnauthorizedError, ": the API server does not accept the credential", "it may have expired: renew it"),
    403: (AuthError, ": not allowed", "ask an administrator of the environment for this right"),
    404: (NotFoundError, "", ""),
    409: (ConflictError, "", "read it again, then repeat the change"),
    410: (GoneError, "", ""),
    415: (InvalidObjectError, "", ""),
    422: (InvalidObjectError, "", ""),
    502: (UnreachableError, "", ""),
    504: (UnreachableError, "", ""),
}
"""HTTP code → error class, what to add to the first line, hint."""


def status_object(body: bytes) -> Mapping[str, Any]:
    """The ``v1 Status`` of an error body; any other body becomes the message of a Status (its first 300 characters)."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and parsed.get("kind") == "Status":
        return parsed
    return {"message": body[:300].decode("utf-8", "replace").strip()}


def seconds(retry_after: str | None, status: Mapping[str, Any]) -> float:
    """Retry-After in seconds (the API sends whole seconds), else details.retryAfterSeconds, else 0; at most an hour."""
    value: object = (
        retry_after if retry_after is not None else (status.get("details") or {}).get("retryAfterSeconds", 0)
    )
    try:
        return min(max(float(str(value)), 0.0), 3600.0)
    except ValueError:
        return 0.0


def failure(what: str, code: int, status: Mapping[str, Any], retry_after: str | None = None) -> RancherctlError:
    """The error for HTTP ``code`` (also the ``code`` of a watch's ERROR event). ``what`` names the call."""
    why = str(status.get("message") or f"HTTP status {code}")
    if code in (429, 503):
        throttled = ThrottledError(what, retry_after=seconds(retry_after, status))
        throttled.why = why
        return throttled
    if code == 409 and status.get("reason") == "AlreadyExists":
        return AlreadyExistsError(what, why=why, hint="choose another name, or update the one that is there")
    kind, suffix, hint = KINDS.get(code, (ServerError if code >= 500 else RancherctlError, "", ""))
    return kind(what + suffix, why=why, hint=hint)


def concerns_one(error: RancherctlError) -> bool:
    """Whether only this object cannot be written; else (throttled, unreachable, not the leader) no other can now."""
    return type(error) is RancherctlError or isinstance(error, (InvalidObjectError, AuthError, ServerError))

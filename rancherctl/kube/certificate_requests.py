"""A CertificateSigningRequest as a slim frozen view, and its parser. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rancherctl.kube.objects import Meta, meta


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """Who asks, and for what. ``pem`` is the PKCS #10 request; ``pending``: neither approved nor denied."""

    meta: Meta
    signer: str
    username: str
    groups: tuple[str, ...]
    usages: frozenset[str]
    pem: str
    pending: bool


def certificate_request(obj: Mapping[str, Any]) -> CertificateRequest:
    """Parse the API's JSON."""
    spec = obj.get("spec") or {}
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return CertificateRequest(
        meta=meta(obj),
        signer=spec.get("signerName", ""),
        username=spec.get("username", ""),
        groups=tuple(spec.get("groups") or ()),
        usages=frozenset(spec.get("usages") or ()),
        pem=base64.b64decode(spec.get("request", "")).decode("ascii", "replace"),
        pending=not any(c.get("type") in {"Approved", "Denied", "Failed"} for c in conditions),
    )

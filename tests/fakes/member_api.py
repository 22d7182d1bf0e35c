"""The API of a member of a federation: the fake API server with a kube-system, and tokens for ServiceAccounts."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.kube import FakeApi

NAMESPACES = "/api/v1/namespaces"
CLUSTERS = "/apis/federation.rancherctl.io/v1alpha1/clusters"


@dataclass
class MemberApi(FakeApi):
    """A member named ``name``; the uid of its kube-system is ``uid-NAME``."""

    name: str = "m1"
    issued: list[str] = field(default_factory=list)
    """Accounts for which tokens were issued, in order."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.store.put(NAMESPACES, "", {"metadata": {"name": "kube-system", "uid": f"uid-{self.name}"}})

    def post(self, path: str, body: Any) -> Any:
        """The answer to a TokenRequest; None for other paths."""
        parts = path.split("/")
        if parts[-1:] != ["token"] or "serviceaccounts" not in parts:
            return None
        self.issued.append(parts[-2])
        seconds = int(body["spec"]["expirationSeconds"])
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        return {"status": {"token": token(seconds), "expirationTimestamp": until}}


def token(seconds: int) -> str:
    """A JSON web token without a signature that counts."""
    now = int(time.time())
    claims = base64.urlsafe_b64encode(json.dumps({"iat": now, "exp": now + seconds}).encode())
    return f"h.{claims.rstrip(b'=').decode()}.s"


def cluster_json(name: str, *servers: str, **spec: Any) -> dict[str, Any]:
    """The Cluster of a member with these addresses of its API."""
    credentials = {"secretRef": {"name": f"cluster-{name}"}}
    return {
        "metadata": {"name": name},
        "spec": {"mode": "Push", "servers": list(servers), "credentials": credentials, **spec},
    }


def secret_json(name: str) -> dict[str, Any]:
    """The Secret with the credential of a member, as the federation's API stores it."""
    data = {"token": token(30 * 24 * 3600), "session-uid": "session"}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": f"cluster-{name}"}, "type": "Opaque", "data": encoded}

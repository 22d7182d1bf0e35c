"""The agent renews its own certificate through the API before it ends: a new key made here, a request that the controller approves."""

from __future__ import annotations

import base64
import logging
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from rancherctl.agents import csr
from rancherctl.errors import RancherctlError, TimeoutExceededError
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport
from rancherctl.kube.client import CSRS, Json, KubeClient

log = logging.getLogger(__name__)
RENEWED = Path("/etc/rancherctl/pki/agent-renewed.pem")
"""Certificate and key in one file: replaced by one rename, so that they always belong together."""


def window(transport: Transport, path: Path) -> tuple[float, float]:
    """The validity of the certificate in a PEM file: start and end in seconds since the epoch."""
    text = transport.run(command("openssl", "x509", "-in", str(path), "-noout", "-startdate", "-enddate", root=False)).text()
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    return float(ssl.cert_time_to_seconds(values["notBefore"])), float(ssl.cert_time_to_seconds(values["notAfter"]))


def current(transport: Transport, cert: Path, key: Path, renewed: Path = RENEWED) -> tuple[Path, Path]:
    """The pair to use: the renewed one when it ends later than the one that apply wrote."""
    if renewed.exists() and window(transport, renewed)[1] > window(transport, cert)[1]:
        return renewed, renewed
    return cert, key


def due(start: float, end: float, now: float) -> bool:
    """Whether less than a third of the life is left. A clock that jumped makes one renewal too many, which does no harm."""
    return end - now < (end - start) / 3


def request_body(node: str, pem: bytes) -> Json:
    """The CertificateSigningRequest for an agent's own identity."""
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": f"rancherctl-agent-{node}-"},
        "spec": {
            "signerName": csr.CLIENT,
            "request": base64.b64encode(pem).decode(),
            "usages": ["digital signature", "client auth"],
        },
    }


def renew(client: KubeClient, transport: Transport, node: str, *, renewed: Path = RENEWED, wait: Callable[[float], None] = time.sleep) -> None:
    """One renewal: key and request by openssl, approval by the controller (waited for up to a minute), one atomic file.

    TimeoutExceededError when nobody approves: the caller tries again later; until then the old pair serves.
    """
    key = transport.run(command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", root=False)).stdout
    subject = f"/O={csr.AGENT_GROUP}/CN={csr.AGENT_PREFIX}{node}"
    pem = transport.run(command("openssl", "req", "-new", "-key", "/dev/stdin", "-subj", subject, stdin=key, root=False)).stdout
    name = client.create(CSRS, request_body(node, pem))["metadata"]["name"]
    deadline, pause = time.monotonic() + 60.0, 0.2
    while True:
        status = client.get(CSRS, name).get("status") or {}
        if status.get("certificate"):
            break
        if any(c.get("type") == "Denied" for c in status.get("conditions") or ()):
            raise RancherctlError(f"certificate request {name} was denied", why=str(status["conditions"][-1].get("message", "")))
        if time.monotonic() > deadline:
            raise TimeoutExceededError(f"certificate request {name} was not approved within 60 s", hint="is rancherctl-controller running?")
        wait(pause)
        pause = min(pause * 2, 5.0)
    _write(renewed, base64.b64decode(status["certificate"]) + key)
    log.info("renewed the certificate of this agent")


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

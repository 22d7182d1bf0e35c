"""Renew the agent's certificate (new key) and kube-proxy's (same key) through the API.

The controller approves the requests.
"""

from __future__ import annotations

import base64
import logging
import os
import ssl
import stat
import threading
from pathlib import Path

from rancherctl.agents import csr
from rancherctl.contract import AGENT_GROUP, AGENT_PREFIX, PKI
from rancherctl.errors import ConflictError, RancherctlError, TimeoutExceededError
from rancherctl.hosts.command import command
from rancherctl.hosts.remote import disk
from rancherctl.hosts.transport import Transport
from rancherctl.kube.client import CSRS, Json, KubeClient
from rancherctl.polling import poll_until

log = logging.getLogger(__name__)
RENEWED = Path(PKI) / "agent-renewed.pem"
"""Certificate and key in one file: one rename replaces both, so they always belong together."""
PROXY = Path(PKI) / "kube-proxy.crt"
PROXY_KEY = Path(PKI) / "kube-proxy.key"
PART = 1 / 3
"""Part of a certificate's life that is left when it is renewed."""
PROXY_PART = 0.4
"""Earlier than the daily job and apply, which then have nothing to do on hosts that reach the API."""
APPROVAL_SECONDS = 60.0
"""Longest wait for the controller's approval."""


def window(transport: Transport, path: Path) -> tuple[float, float]:
    """Start and end of the validity of the certificate in a PEM file, in seconds since the epoch."""
    text = transport.run(
        command("openssl", "x509", "-in", str(path), "-noout", "-startdate", "-enddate", root=False)
    ).text()
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    return float(ssl.cert_time_to_seconds(values["notBefore"])), float(ssl.cert_time_to_seconds(values["notAfter"]))


def current(transport: Transport, cert: Path, key: Path, renewed: Path = RENEWED) -> tuple[Path, Path]:
    """The pair to use: the renewed one if it is valid and expires later than the one that apply wrote."""
    if renewed.exists() and _whole(renewed) and window(transport, renewed)[1] > window(transport, cert)[1]:
        return renewed, renewed
    return cert, key


def _whole(pair: Path) -> bool:
    """Whether the file holds a certificate and its key; a damaged file must not prevent the agent's start."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(pair, password="")
    except OSError as error:
        log.warning("ignoring %s, which is damaged: %s", pair, error)
        return False
    return True


def due(start: float, end: float, now: float, part: float = PART) -> bool:
    """Whether less than ``part`` of the life is left; a clock that jumps causes one harmless renewal."""
    return end - now < (end - start) * part


def request_body(node: str, pem: bytes) -> Json:
    """The agent's CertificateSigningRequest for a PKCS #10 request."""
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


def renew(
    client: KubeClient,
    transport: Transport,
    node: str,
    *,
    renewed: Path = RENEWED,
    stop: threading.Event | None = None,
) -> None:
    """Renew the agent's certificate: a new key, a request approved by the controller, one atomic file.

    TimeoutExceededError: not approved within APPROVAL_SECONDS; the old pair stays in use, and the caller retries
    later.
    """
    key = transport.run(
        command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", root=False)
    ).stdout
    subject = f"/O={AGENT_GROUP}/CN={AGENT_PREFIX}{node}"
    pem = transport.run(
        command("openssl", "req", "-new", "-key", "/dev/stdin", "-subj", subject, stdin=key, root=False)
    ).stdout
    certificate = _signed(client, node, pem, stop)
    disk.write(str(renewed), certificate + key, 0o600, disk.owner_of(os.geteuid(), os.getegid()))
    log.info("renewed the certificate of this agent")


def renew_proxy(
    client: KubeClient,
    transport: Transport,
    node: str,
    *,
    crt: Path = PROXY,
    key: Path = PROXY_KEY,
    stop: threading.Event | None = None,
) -> None:
    """Renew kube-proxy's certificate for its present key. kube-proxy reads the changed file by itself.

    Errors as for ``renew``; the old certificate then stays.
    """
    pem = transport.run(
        command("openssl", "req", "-new", "-key", str(key), "-subj", f"/CN={csr.PROXY}", root=False)
    ).stdout
    certificate = _signed(client, node, pem, stop)
    replace(crt, certificate)
    log.info("renewed the certificate of kube-proxy")


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically, keeping mode and owner. OSError or StepError: the old file stays."""
    info = path.lstat()
    if not stat.S_ISREG(info.st_mode):
        raise ConflictError(f"{path} is not a regular file")
    disk.write(str(path), content, stat.S_IMODE(info.st_mode), disk.owner_of(info.st_uid, info.st_gid))


def _signed(client: KubeClient, node: str, pem: bytes, stop: threading.Event | None) -> bytes:
    """Send the request and return the certificate as soon as the controller has approved it."""
    name = client.create(CSRS, request_body(node, pem))["metadata"]["name"]

    def certificate() -> bytes | None:
        status = client.get(CSRS, name).get("status") or {}
        if any(c.get("type") == "Denied" for c in status.get("conditions") or ()):
            why = str(status["conditions"][-1].get("message", ""))
            raise RancherctlError(f"certificate request {name} was denied", why=why)
        return base64.b64decode(status.get("certificate") or "") or None

    found = poll_until(certificate, APPROVAL_SECONDS, largest=5.0, stop=stop)
    if found is None:
        hint = "check that rancherctl-controller runs, and that the Node of this host exists"
        raise TimeoutExceededError(
            f"certificate request {name} was not approved in {APPROVAL_SECONDS:.0f} s", hint=hint
        )
    return found

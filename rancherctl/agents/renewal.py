"""The agent renews certificates through the API before they end: its own (with a new key) and kube-proxy's (with the key it has).

The controller approves the requests.
"""

from __future__ import annotations

import base64
import logging
import os
import ssl
import stat
import time
from collections.abc import Callable
from pathlib import Path

from rancherctl.agents import csr
from rancherctl.errors import ConflictError, RancherctlError, TimeoutExceededError
from rancherctl.hosts.command import command
from rancherctl.hosts.remote import disk
from rancherctl.hosts.transport import Transport
from rancherctl.kube.client import CSRS, Json, KubeClient

log = logging.getLogger(__name__)
RENEWED = Path("/etc/rancherctl/pki/agent-renewed.pem")
"""Certificate and key in one file: replaced by one rename, so that they always belong together."""
PROXY = Path("/etc/rancherctl/pki/kube-proxy.crt")
PROXY_KEY = Path("/etc/rancherctl/pki/kube-proxy.key")
PART = 1 / 3
PROXY_PART = 0.4
"""Earlier than the control plane's own job and apply: where hosts can ask the API, those two find nothing to do."""


def window(transport: Transport, path: Path) -> tuple[float, float]:
    """The validity of the certificate in a PEM file: start and end in seconds since the epoch."""
    text = transport.run(
        command("openssl", "x509", "-in", str(path), "-noout", "-startdate", "-enddate", root=False)
    ).text()
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    return float(ssl.cert_time_to_seconds(values["notBefore"])), float(ssl.cert_time_to_seconds(values["notAfter"]))


def current(transport: Transport, cert: Path, key: Path, renewed: Path = RENEWED) -> tuple[Path, Path]:
    """The pair to use: the renewed one when it ends later than the one that apply wrote, and is whole."""
    if renewed.exists() and _whole(renewed) and window(transport, renewed)[1] > window(transport, cert)[1]:
        return renewed, renewed
    return cert, key


def _whole(pair: Path) -> bool:
    """Whether the file holds a certificate and its key; a damaged one must not keep the agent from starting."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(pair, password="")
    except OSError as error:
        log.warning("%s is damaged and not used: %s", pair, error)
        return False
    return True


def due(start: float, end: float, now: float, part: float = PART) -> bool:
    """Whether less than this part of the life is left. A clock that jumped makes one renewal too many, which does no harm."""
    return end - now < (end - start) * part


def request_body(node: str, pem: bytes) -> Json:
    """The CertificateSigningRequest of an agent."""
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
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """One renewal: key and request by openssl, approval by the controller (waited for up to a minute), one atomic file.

    TimeoutExceededError when nobody approves: the caller tries again later; until then the old pair serves.
    """
    key = transport.run(
        command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", root=False)
    ).stdout
    subject = f"/O={csr.AGENT_GROUP}/CN={csr.AGENT_PREFIX}{node}"
    pem = transport.run(
        command("openssl", "req", "-new", "-key", "/dev/stdin", "-subj", subject, stdin=key, root=False)
    ).stdout
    certificate = _signed(client, node, pem, wait)
    disk.write(str(renewed), certificate + key, 0o600, disk.owner_of(os.geteuid(), os.getegid()))
    log.info("renewed the certificate of this agent")


def renew_proxy(
    client: KubeClient,
    transport: Transport,
    node: str,
    *,
    crt: Path = PROXY,
    key: Path = PROXY_KEY,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """kube-proxy's certificate for the key that it has; kube-proxy reads the changed file by itself. Errors as ``renew``; the old one stays then."""
    pem = transport.run(
        command("openssl", "req", "-new", "-key", str(key), "-subj", f"/CN={csr.PROXY}", root=False)
    ).stdout
    certificate = _signed(client, node, pem, wait)
    replace(crt, certificate)
    log.info("renewed the certificate of kube-proxy")


def replace(path: Path, content: bytes) -> None:
    """Replace a file atomically; mode and owner stay. OSError or StepError leave the old one."""
    info = path.lstat()
    if not stat.S_ISREG(info.st_mode):
        raise ConflictError(f"{path} is not a plain file")
    disk.write(str(path), content, stat.S_IMODE(info.st_mode), disk.owner_of(info.st_uid, info.st_gid))


def _signed(client: KubeClient, node: str, pem: bytes, wait: Callable[[float], None]) -> bytes:
    """The certificate for a request, as soon as the controller has approved it."""
    name = client.create(CSRS, request_body(node, pem))["metadata"]["name"]
    deadline, pause = time.monotonic() + 60.0, 0.2
    while True:
        status = client.get(CSRS, name).get("status") or {}
        if status.get("certificate"):
            return base64.b64decode(status["certificate"])
        if any(c.get("type") == "Denied" for c in status.get("conditions") or ()):
            raise RancherctlError(
                f"certificate request {name} was denied", why=str(status["conditions"][-1].get("message", ""))
            )
        if time.monotonic() > deadline:
            hint = "does rancherctl-controller run, and does the API have a Node of this host?"
            raise TimeoutExceededError(f"certificate request {name} was not approved within 60 s", hint=hint)
        wait(pause)
        pause = min(pause * 2, 5.0)

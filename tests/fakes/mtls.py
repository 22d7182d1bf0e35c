"""Clients with certificates, and secrets with the authorities of these."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress import copies
from rancherctl.ingress.model import digest
from rancherctl.ingress.purposes import CLIENT_CA, named_secret, purpose_key
from rancherctl.kube import objects
from tests.fakes import tls
from tests.fakes.tls_host import site

AUTHORITIES = {"ca": tls.Authority("authority ca"), "cb": tls.Authority("authority cb")}
"""By name of their secret in the default namespace."""
PAIRS = {digest(f"client-ca:default/{name}"): authority.issue("client") for name, authority in AUTHORITIES.items()}
"""Certificates of clients by the file of their authority on hosts."""


def load(context: ssl.SSLContext, pair: tls.Pair) -> None:
    """Let clients show a certificate."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "client.pem"
        file.write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(file)


def secret(
    name: str, data: dict[str, bytes], *, namespace: str = "default", version: str = "1", kind: str = "Opaque"
) -> objects.Secret:
    """A secret as the controller reads it."""
    return named_secret(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": version},
            "type": kind,
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
    )


def copy_of(source: objects.Secret, host: str = "h1") -> Any:
    """The copy that a host sees."""
    body = copies.copy_object(host, purpose_key(CLIENT_CA.name, source.meta.key), source)
    body["metadata"]["resourceVersion"] = source.meta.resource_version
    return objects.secret_copy(body)


def ca_copy(name: str, *authorities: tls.Authority, version: str = "1") -> Any:
    """A copy with these authorities."""
    return copy_of(secret(name, {"ca.crt": b"".join(a.certificate for a in authorities)}, version=version))


def guarded(
    name: str,
    secret: str,
    ca: str,
    *,
    verify: str = "",
    headers: bool = False,
    scale: int = 1,
    port: int = 0,
    **more: Any,
) -> Any:
    """An Ingress for one host name whose clients need a certificate of the authorities in the secret ``ca``.

    With an HTTPS ``port`` of its own, it is not served over plain HTTP.
    """
    notes = {f"{INGRESS_PREFIX}client-ca": ca, "scale": str(scale)}
    notes |= {f"{INGRESS_PREFIX}client-verify": verify} if verify else {}
    notes |= {f"{INGRESS_PREFIX}client-cert-headers": "true"} if headers else {}
    own = {"https.port": str(port), "allow.http": "false"} if port else {}
    return site(name, secret, annotations=notes | {INGRESS_PREFIX + key: text for key, text in own.items()}, **more)


class Client:
    """Asks over TLS, with a ``pair`` as certificate or without, and may resume sessions.

    ``version`` is the only version of TLS that it knows ("" = all).
    """

    def __init__(
        self,
        port: int,
        pair: tls.Pair | None = None,
        version: str = "",
        address: str = "127.0.0.1",
        alpn: str = "http/1.1",
    ) -> None:
        self._to, self._context = (address, port), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self._context.set_alpn_protocols([alpn])
        if version:
            only = ssl.TLSVersion[f"TLSv{version.replace('.', '_')}"]
            self._context.minimum_version = self._context.maximum_version = only
        if pair:
            load(self._context, pair)
        self.session: ssl.SSLSession | None = None
        """That of the last answer."""

    def connect(self, name: str, session: ssl.SSLSession | None = None) -> http.client.HTTPConnection:
        """A connection whose handshake is for ``name``."""
        connection = http.client.HTTPConnection(*self._to, timeout=30)
        connection.sock = self.stream(name, session)
        return connection

    def stream(self, name: str, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """A socket after the handshake for ``name``."""
        plain = socket.create_connection(self._to, 10)
        return self._context.wrap_socket(plain, server_hostname=name, session=session)

    def ask(
        self,
        name: str,
        host: str = "",
        session: ssl.SSLSession | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> tuple[str, dict[str, Any]]:
        """The name of the pod that answered with the headers that it got; else the status, or "refused"."""
        try:
            connection = self.connect(name, session)
            try:
                return self.request(connection, host or name, headers)
            finally:
                connection.close()
        except (ssl.SSLError, ConnectionResetError):  # in TLS 1.3 a client learns of it when it reads
            return "refused", {}

    def request(
        self, connection: http.client.HTTPConnection, host: str, headers: Iterable[tuple[str, str]] = ()
    ) -> tuple[str, dict[str, Any]]:
        """One request on an open connection; see ``ask``."""
        connection.putrequest("GET", "/", skip_host=True)
        for key, value in (("Host", host), *headers):
            connection.putheader(key, value)
        connection.endheaders()
        stream = connection.sock
        response = connection.getresponse()
        body = json.loads(found) if (found := response.read()).startswith(b"{") else {}
        assert isinstance(stream, ssl.SSLSocket)
        self.session = stream.session
        return (str(body["pod"]), body.get("headers", {})) if response.status == 200 else (str(response.status), {})

    def answer(self, name: str, host: str = "", session: ssl.SSLSession | None = None) -> str:
        """``ask`` without headers."""
        return self.ask(name, host, session)[0]

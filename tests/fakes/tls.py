"""A certificate authority, TLS secrets and their copies, and a client that says what it was shown."""

from __future__ import annotations

import base64
import datetime
import http.client
import json
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from rancherctl.ingress import copies
from rancherctl.kube import objects

PEM = serialization.Encoding.PEM
AN_HOUR_LATER = datetime.datetime.now(datetime.UTC).timestamp() + 3600
"""After certificates are issued, in seconds since 1970: one for 90 days has 89 whole days left."""
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def rsa_key() -> Key:
    """A new RSA key of the usual size."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True)
class Pair:
    """Certificate (with chain) and key as PEM; ``serial`` as clients see it."""

    certificate: bytes
    key: bytes
    serial: int

    def secret(self, name: str, namespace: str = "default", version: str = "1") -> objects.TlsSecret:
        """The secret as the controller sees it."""
        return secret(name, self.certificate, self.key, namespace=namespace, version=version)

    def copy(self, name: str, namespace: str = "default", version: str = "1", host: str = "h1") -> objects.TlsSecret:
        """The copy that a host sees."""
        return copy_of(self.secret(name, namespace, version), host)

    def files(self) -> dict[str, str]:
        """``data`` of a Secret."""
        return {"tls.crt": _base64(self.certificate), "tls.key": _base64(self.key)}


def der(pair: Pair) -> bytes:
    """The certificate as a client is shown it."""
    return x509.load_pem_x509_certificate(pair.certificate).public_bytes(serialization.Encoding.DER)


def secret(
    name: str, certificate: bytes, key: bytes, *, namespace: str = "default", version: str = "1"
) -> objects.TlsSecret:
    """A secret of the type kubernetes.io/tls with any content."""
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": version}
    return objects.tls_secret({"metadata": meta, "data": {"tls.crt": _base64(certificate), "tls.key": _base64(key)}})


def copy_of(source: objects.TlsSecret, host: str = "h1") -> objects.TlsSecret:
    """What the controller makes of a secret for a host."""
    body = copies.copy_object(host, source.meta.key, source)
    body["metadata"]["resourceVersion"] = source.meta.resource_version
    return objects.tls_secret(body)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Authority:
    """Issues certificates for names."""

    def __init__(self, name: str = "test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._builder(self._name, self._key, [], 400)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = made.sign(self._key, hashes.SHA256()).public_bytes(PEM)

    def _builder(self, name: x509.Name, key: Key, names: list[str], days: float) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        start = min(now, now + datetime.timedelta(days=days)) - datetime.timedelta(hours=1)
        out = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(now + datetime.timedelta(days=days))
        )
        listed = [x509.DNSName(n) for n in names]
        return out.add_extension(x509.SubjectAlternativeName(listed), critical=False) if listed else out

    def issue(self, *names: str, days: float = 90, key: Key | None = None, chain: int = 0) -> Pair:
        """A new pair; ``chain`` further certificates make it larger."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = self._builder(name, key, list(names), days).sign(self._key, hashes.SHA256())
        more = b"".join(self.issue(f"intermediate-{i}").certificate for i in range(chain))
        text = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return Pair(made.public_bytes(PEM) + more, text, made.serial_number)


def connect(
    port: int,
    name: str | None,
    *,
    alpn: tuple[str, ...] = (),
    address: str = "127.0.0.1",
    newest: str = "",
    source: str = "",
) -> ssl.SSLSocket:
    """A TLS connection that asks for ``name`` (None = no SNI) and accepts any certificate.

    ``newest`` is the latest version of TLS that the client knows ("" = the latest of all).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if newest:
        context.maximum_version = ssl.TLSVersion[f"TLSv{newest.replace('.', '_')}"]
    if alpn:
        context.set_alpn_protocols(list(alpn))
    plain = socket.create_connection((address, port), 10, source_address=(source, 0) if source else None)
    return context.wrap_socket(plain, server_hostname=name)


def serial(port: int, name: str | None, address: str = "127.0.0.1") -> int | str:
    """The serial number of the certificate that a client is shown, or why it is refused."""
    try:
        with connect(port, name, address=address) as stream:
            shown = stream.getpeercert(binary_form=True)
    except ssl.SSLError as error:
        return str(error.reason)
    assert shown
    return x509.load_der_x509_certificate(shown).serial_number


def negotiated(
    port: int, name: str | None, *, alpn: tuple[str, ...] = (), newest: str = "", address: str = "127.0.0.1"
) -> tuple[str | None, str | None] | str:
    """Version of TLS and protocol that a handshake ends with, or why it is refused."""
    try:
        with connect(port, name, alpn=alpn, newest=newest, address=address) as stream:
            return stream.version(), stream.selected_alpn_protocol()
    except ssl.SSLError as error:
        return str(error.reason)


class Watcher:
    """A client that makes one handshake for ``name`` after the other; ``serials`` are those that it was shown."""

    def __init__(self, port: int, name: str) -> None:
        self.serials: set[int | str] = set()
        self._asked, self._news, self._ended = 0, threading.Condition(), False
        self._thread = threading.Thread(target=self._ask, args=(port, name), daemon=True)

    def _ask(self, port: int, name: str) -> None:
        while not self._ended:
            self.serials.add(serial(port, name))
            with self._news:
                self._asked += 1
                self._news.notify_all()

    def wait_for(self, more: int, limit: float = 30.0) -> None:
        """Wait until there were this many handshakes more."""
        with self._news:
            enough = self._asked + more
            assert self._news.wait_for(lambda: self._asked >= enough, limit), "no more handshakes"

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._thread.join(10)


class Connection:
    """An HTTP/1.1 connection over TLS, kept open between requests."""

    def __init__(self, port: int, name: str | None, address: str = "127.0.0.1") -> None:
        self._connection = http.client.HTTPConnection(address, port, timeout=30)
        self._connection.sock = connect(port, name, address=address)

    def request(self, host: str, path: str = "/") -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, the JSON of the pod that answered, and headers in lower case."""
        self._connection.request("GET", path, headers={"Host": host})
        response = self._connection.getresponse()
        body = response.read()
        headers = {key.lower(): value for key, value in response.getheaders()}
        return response.status, json.loads(body) if body.startswith(b"{") else {}, headers

    def answer(self, host: str, path: str = "/") -> str:
        """The name of the pod that answered, or the status."""
        status, body, _ = self.request(host, path)
        return str(body["pod"]) if status == 200 else str(status)

    def close(self) -> None:
        """Close it."""
        self._connection.close()


def answer(port: int, name: str | None, path: str = "/", *, host: str | None = None, address: str = "127.0.0.1") -> str:
    """The name of the pod that answered, the status, or why the handshake was refused.

    ``host`` is the Host header if it differs from the name of the handshake.
    """
    try:
        connection = Connection(port, name, address)
    except ssl.SSLError as error:
        return str(error.reason)
    try:
        return connection.answer(host or name or "none", path)
    finally:
        connection.close()

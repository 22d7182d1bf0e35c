"""Certificates that Go accepts and Python 3.13 would refuse by default (RFC 5280 requires more extensions)."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rancherctl.errors import AuthError, RancherctlError
from rancherctl.kube.http.pool import ConnectionPool
from rancherctl.kube.http.tls import ApiEndpoint
from rancherctl.kube.official import OfficialClient

HOUR = datetime.timedelta(hours=1)
ADDRESS = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])


@dataclass(frozen=True)
class Authority:
    """A CA that has only a basic constraint, which is not critical; its certificates name no authority key."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    pem: bytes


def sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    by: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - HOUR)
    made = builder.not_valid_after(now + HOUR).add_extension(extension, critical=False).sign(by, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def authority(name: str) -> Authority:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(subject, key, sign(subject, key, subject, key, x509.BasicConstraints(ca=True, path_length=None)))


@dataclass(frozen=True)
class Server:
    """A TLS server that answers every request with 404."""

    url: str
    ca: bytes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ca, key = authority("old"), ec.generate_private_key(ec.SECP256R1())
    pair = tmp_path_factory.mktemp("tls") / "pair.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api")])
    pair.write_bytes(secret + sign(name, key, ca.name, ca.key, ADDRESS))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as one:
                        one.recv(65536)
                        one.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        yield Server(f"https://127.0.0.1:{listener.getsockname()[1]}", ca.pem)
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python 3.13 does by default, for older releases."""
    create = ssl.create_default_context

    def as_in_313(*args: object, **options: object) -> ssl.SSLContext:
        context = create(*args, **options)  # type: ignore[arg-type]  # passed on
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", as_in_313)


def connect(server: ApiEndpoint) -> None:
    pool = ConnectionPool(server)
    pool.take(time.monotonic() + 10)[0].close()
    pool.close()


def discover(server: ApiEndpoint) -> None:
    with OfficialClient(server):
        pass


def test_the_certificates_are_refused_by_strict_verification(server: Server) -> None:
    context = ssl.create_default_context(cadata=server.ca.decode())
    host, _, port = server.url.removeprefix("https://").partition(":")
    with (
        socket.create_connection((host, int(port)), 10) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname=host)


@pytest.mark.parametrize("as_file", [False, True], ids=["data", "file"])
def test_an_authority_without_extensions_is_accepted_as_by_kubectl(
    server: Server, as_file: bool, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(server.ca)
    endpoint = ApiEndpoint(server.url, tmp_path / "ca.pem" if as_file else server.ca)
    connect(endpoint)
    with pytest.raises(RancherctlError) as caught:
        discover(endpoint)
    assert "certificate" not in f"{caught.value.what} {caught.value.why}"


@pytest.mark.parametrize("use", [connect, discover])
def test_another_authority_is_still_refused(server: Server, use: Callable[[ApiEndpoint], None]) -> None:
    with pytest.raises(RancherctlError) as caught:
        use(ApiEndpoint(server.url, authority("old").pem))
    assert "certificate" in f"{caught.value.what} {caught.value.why}"


def test_another_host_name_is_still_refused(server: Server) -> None:
    with pytest.raises(AuthError):
        connect(ApiEndpoint(server.url, server.ca, server_name="other.example.com"))

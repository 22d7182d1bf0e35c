"""A real etcd and kube-apiserver on loopback with throw-away certificates; no hosts are needed."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from rancherctl.errors import RancherctlError
from rancherctl.kube.rest import RestClient
from tests.fakes.ports import free_port

START_SECONDS = 180.0


@dataclass
class ApiServer:
    """A running API server. ``ca``, ``cert`` and ``key`` are files; the certificate is a member of system:masters."""

    url: str
    ca: Path
    cert: Path
    key: Path
    folder: Path
    commands: dict[str, list[str]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def client(self) -> RestClient:
        return RestClient(self.url, ca=self.ca, cert=self.cert, key=self.key)

    def kubeconfig(self) -> Path:
        """A kubeconfig file for kubectl."""
        path = self.folder / "kubeconfig"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: t\n"
            f"clusters: [{{name: t, cluster: {{server: '{self.url}', certificate-authority: '{self.ca}'}}}}]\n"
            f"users: [{{name: t, user: {{client-certificate: '{self.cert}', client-key: '{self.key}'}}}}]\n"
            "contexts: [{name: t, context: {cluster: t, user: t}}]\n"
        )
        return path

    def start(self, name: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                # A killed test run leaves no servers behind.
                ["setpriv", "--pdeathsig", "KILL", *self.commands[name]],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, name: str, *, kill: bool = False) -> None:
        process = self.processes.pop(name)
        process.kill() if kill else process.terminate()
        process.wait(120)

    def wait_ready(self) -> None:
        """Wait until /readyz answers; on failure the error contains the end of the log."""
        deadline, last = time.monotonic() + START_SECONDS, ""
        with self.client() as client:
            while time.monotonic() < deadline:
                for name, process in self.processes.items():
                    assert process.poll() is None, (
                        f"{name} ended:\n" + (self.folder / f"{name}.log").read_text()[-3000:]
                    )
                try:
                    client.raw("GET", "/readyz", timeout=10)
                except RancherctlError as e:
                    last = str(e)
                    time.sleep(0.1)  # before the port is open, polling is the only way
                else:
                    return
        raise AssertionError(
            f"no API server after {START_SECONDS} s: {last}\n" + (self.folder / "apiserver.log").read_text()[-3000:]
        )


@cache
def binaries() -> Path:
    """The bundle that demo and lab tests use; created if it does not exist."""
    from scripts.prepare import bundle_root

    return bundle_root()


@contextlib.contextmanager
def running(root: Path | None = None, services: str = "10.43.0.0/16") -> Iterator[ApiServer]:
    """Run a separate API server for the block; afterwards everything is removed. ``services``: networks of Services."""
    root = root or binaries()
    folder = Path(tempfile.mkdtemp(prefix="rancherctl-apiserver-"))
    server = ApiServer("", folder / "ca.crt", folder / "admin.crt", folder / "admin.key", folder)
    try:
        certificates(folder)
        etcd, peer, api = (free_port() for _ in range(3))
        server.url = f"https://127.0.0.1:{api}"
        server.commands = {
            "etcd": [
                str(_find(root, "etcd")),
                f"--data-dir={folder}/etcd",
                f"--listen-client-urls=http://127.0.0.1:{etcd}",
                f"--advertise-client-urls=http://127.0.0.1:{etcd}",
                f"--listen-peer-urls=http://127.0.0.1:{peer}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
            "apiserver": [
                str(_find(root, "kube-apiserver")),
                f"--etcd-servers=http://127.0.0.1:{etcd}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                f"--secure-port={api}",
                f"--tls-cert-file={folder}/server.crt",
                f"--tls-private-key-file={folder}/server.key",
                f"--client-ca-file={folder}/ca.crt",
                "--authorization-mode=Node,RBAC",
                f"--service-cluster-ip-range={services}",
                f"--service-account-issuer={server.url}",
                f"--service-account-key-file={folder}/sa.key",
                f"--service-account-signing-key-file={folder}/sa.key",
                "--endpoint-reconciler-type=none",
            ],
        }
        server.start("etcd")
        server.start("apiserver")
        server.wait_ready()
        yield server
    finally:
        for name in list(server.processes):
            server.stop(name, kill=True)
        shutil.rmtree(folder)


def certificates(folder: Path) -> None:
    """Create a CA, certificates of a server on 127.0.0.1 and an administrator, and a key for ServiceAccount tokens."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("ca", "", ca_key, None, ca_key)
    _write(folder / "ca.crt", ca.public_bytes(serialization.Encoding.PEM))
    issue(folder, "server", "127.0.0.1", "", ca, ca_key)
    issue(folder, "admin", "admin", "system:masters", ca, ca_key)
    _write(folder / "ca.key", _pem(ca_key))
    _write(folder / "sa.key", _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))


def issue(
    folder: Path, file: str, name: str, organization: str, ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    crt = _certificate(name, organization, key, ca, ca_key)
    _write(folder / f"{file}.key", _pem(key))
    _write(folder / f"{file}.crt", crt.public_bytes(serialization.Encoding.PEM))


def _certificate(
    name: str,
    organization: str,
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate | None,
    ca_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization:
        names.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name(names)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.subject if ca else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(ca_key, hashes.SHA256())


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
        f.write(data)


def _find(root: Path, name: str) -> Path:
    found = sorted(root.glob(f"*/*/{name}"))
    assert found, f"{root} has no {name}"
    return found[-1]

"""Who the API server is and who we are: addresses, certificates from files or memory, TLS contexts."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from rancherctl.errors import UsageError
from rancherctl.proxy.choice import Proxy
from rancherctl.trust import client_context


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """An API server's address and credentials. ``ca``, ``cert``, ``key``: paths or PEM; ``ca`` None: system CAs."""

    url: str
    ca: Path | bytes | None = None
    cert: Path | bytes | None = None
    key: Path | bytes | None = field(default=None, repr=False)
    server_name: str = ""
    """Name to expect in the certificate instead of the URL's host."""
    insecure: bool = False
    """Accept any certificate (kubeconfig's insecure-skip-tls-verify)."""
    proxy: Proxy | None = None
    """The proxy on the way to the server."""

    def parts(self) -> tuple[bool, str, int, str]:
        """(TLS or not, host, port, path prefix). UsageError for a URL that is not http(s)://HOST[:PORT][/PREFIX]."""
        try:
            u = urlsplit(self.url)
            port = u.port
        except ValueError as e:
            raise UsageError(f"{self.url!r} is not the address of an API server", why=str(e)) from e
        if u.scheme not in ("http", "https") or not u.hostname or u.query or any(ord(c) <= 32 for c in self.url):
            raise UsageError(
                f"{self.url!r} is not the address of an API server", hint="for example https://10.0.0.1:6443"
            )
        tls = u.scheme == "https"
        return tls, u.hostname, port or (443 if tls else 80), u.path.rstrip("/")


def make_context(server: ApiEndpoint) -> ssl.SSLContext:
    """A TLS client context. Raises OSError or ssl.SSLError for files that are missing or do not fit."""
    context = client_context(server.ca)
    if server.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if server.cert:
        with _as_file(server.cert) as cert, _as_file(server.key or server.cert) as key:
            context.load_cert_chain(cert, key)
    return context


@contextlib.contextmanager
def _as_file(pem: Path | bytes) -> Iterator[str]:
    """PEM bytes as a path for OpenSSL: in memory on Linux, so a key from a kubeconfig never reaches the disk."""
    if isinstance(pem, Path):
        yield str(pem)
    elif hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("pem", os.MFD_CLOEXEC), "wb") as f:
            f.write(pem)
            f.flush()
            yield f"/proc/self/fd/{f.fileno()}"
    else:
        import tempfile

        with tempfile.NamedTemporaryFile() as t:
            t.write(pem)
            t.flush()
            yield t.name


def stamp(path: Path | bytes | None) -> object:
    """A value that changes when the file does; None for bytes and None."""
    if not isinstance(path, Path):
        return None
    try:
        s = path.stat()
    except OSError as e:
        return e.errno
    return s.st_ino, s.st_mtime_ns, s.st_size

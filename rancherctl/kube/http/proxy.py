"""HTTP proxies on the way to an API server: the choice by the rules of Go and kubectl, and tunnels (CONNECT)."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Final
from urllib.parse import unquote, urlsplit

from rancherctl.errors import UnreachableError, UsageError
from rancherctl.net import parse_ip, split_host_port

LARGEST_ANSWER: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """An HTTP proxy that opens tunnels (CONNECT). ``origin`` says where it is set, for messages."""

    host: str
    port: int
    origin: str
    user: str = ""
    password: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        """The header with the credentials, if there are any."""
        if not self.user and not self.password:
            return {}
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {pair}"}

    def connect(self, sock: socket.socket, host: str, port: int, seconds: float) -> None:
        """Make ``sock``, which is connected to the proxy, a tunnel to an API server.

        UnreachableError if the proxy refuses, TimeoutError after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{k}: {v}" for k, v in self.headers().items())]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("ascii"))
        answer = b""
        # Byte by byte: what follows the head belongs to the API server. It is some hundred bytes, once a connection.
        while not answer.endswith(b"\r\n\r\n") and len(answer) < LARGEST_ANSWER:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            byte = sock.recv(1)
            if not byte:
                break
            answer += byte
        status = answer.partition(b"\r\n")[0].decode("latin-1").partition(" ")[2].strip()
        if not answer.endswith(b"\r\n\r\n") or not status.startswith("2"):
            hint = (
                f"put a valid user name and password into {self.origin}: http://USER:PASSWORD@HOST:PORT"
                if status.startswith("407")
                else "if the API server is reachable without the proxy, add its address to NO_PROXY"
            )
            raise UnreachableError(
                f"the proxy {self.host}:{self.port} ({self.origin}) does not connect to {target}",
                why=status or "it closed the connection",
                hint=hint,
            )


def proxy_for(url: str, explicit: str, environ: Mapping[str, str]) -> HttpProxy | None:
    """The proxy for an API server, None for a direct connection.

    ``explicit`` is a kubeconfig's proxy-url, which takes precedence over HTTPS_PROXY and NO_PROXY. UsageError for a
    value that is not the URL of an HTTP proxy.
    """
    if explicit:
        return _parsed(explicit, "proxy-url")
    parts = urlsplit(url)
    host, port = parts.hostname or "", str(parts.port or (443 if parts.scheme == "https" else 80))
    names = [f"{parts.scheme}_proxy".upper(), f"{parts.scheme}_proxy"]
    origin = next((name for name in names if environ.get(name)), "")
    if not origin or not uses_proxy(host, port, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    return _parsed(environ[origin], origin)


def uses_proxy(host: str, port: str, no_proxy: str) -> bool:
    """Whether connections to an address go through the proxy: Go's rules (golang.org/x/net/http/httpproxy).

    NO_PROXY lists ``*``, addresses, networks (10.0.0.0/8) and domains: ``example.com`` also excludes its subdomains,
    ``.example.com`` and ``*.example.com`` only these. Addresses and domains may have a port. Loopback has no proxy.
    """
    host = host.lower()
    ip = parse_ip(host)
    if host == "localhost" or (ip is not None and ip.is_loopback):
        return False
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        if entry == "*":
            return False
        try:
            network = ip_network(entry, strict=False) if "/" in entry else None
        except ValueError:
            network = None
        if network is not None:
            if ip is not None and ip in network:
                return False
            continue
        name, only = split_host_port(entry)
        if not name or (only and str(only) != port):
            continue
        excluded = parse_ip(name)
        if excluded is not None:
            if excluded == ip:
                return False
            continue
        suffix = name.removeprefix("*")
        if host.endswith(suffix if suffix.startswith(".") else f".{suffix}") or host == suffix:
            return False
    return True


def _parsed(text: str, origin: str) -> HttpProxy:
    """The proxy that a URL names; HOST:PORT without a scheme is a URL, too."""
    example = "for example http://proxy.example.com:3128"
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or 80
    except ValueError as error:
        raise UsageError(f"{origin} is not the URL of a proxy", why=str(error), hint=example) from error
    if parts.scheme != "http":
        why = f"only http:// proxies are supported, not {parts.scheme}://"
        raise UsageError(f"{origin} names a proxy that is not supported", why=why, hint=example)
    if not parts.hostname:
        raise UsageError(f"{origin} is not the URL of a proxy", why="it has no host", hint=example)
    return HttpProxy(parts.hostname, port, origin, unquote(parts.username or ""), unquote(parts.password or ""))

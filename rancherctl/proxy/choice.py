"""The proxy for an API server, chosen by the rules of Go and kubectl. Pure: environment variables are passed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Final
from urllib.parse import unquote, urlsplit

from rancherctl.errors import UsageError
from rancherctl.net import parse_ip, split_host_port, unmapped

PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""Scheme → default port."""
EXAMPLE: Final = "for example http://proxy.example.com:3128, https://… or socks5://…"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. ``scheme`` is http, https or socks5; ``origin`` says where it is set, for messages."""

    host: str
    port: int
    origin: str
    scheme: str = "http"
    user: str = ""
    password: str = field(default="", repr=False)


def proxy_for(url: str, explicit: str, environ: Mapping[str, str], origin: str = "proxy-url") -> Proxy | None:
    """The proxy for an API server, None for a direct connection.

    ``explicit`` is a proxy-url, which takes precedence over HTTPS_PROXY and NO_PROXY; ``origin`` names its place.
    UsageError for a value that is not the URL of a proxy.
    """
    if explicit:
        return parsed(explicit, origin)
    parts = urlsplit(url)
    host, port = parts.hostname or "", str(parts.port or (443 if parts.scheme == "https" else 80))
    names = [f"{parts.scheme}_proxy".upper(), f"{parts.scheme}_proxy"]
    variable = next((name for name in names if environ.get(name)), "")
    if not variable or not uses_proxy(host, port, environ.get("NO_PROXY") or environ.get("no_proxy") or ""):
        return None
    return parsed(environ[variable], variable)


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
            if ip is not None and unmapped(excluded) == unmapped(ip):
                return False
            continue
        suffix = name.removeprefix("*") if name.startswith("*.") else name
        if host.endswith(suffix if suffix.startswith(".") else f".{suffix}") or host == suffix:
            return False
    return True


def parsed(text: str, origin: str) -> Proxy:
    """The proxy that a URL names; HOST:PORT without a scheme is an HTTP proxy. UsageError for anything else."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError as error:
        # without the parser's message, which may quote a part of a password
        raise UsageError(
            f"{origin} is not the URL of a proxy", why="its host or port is invalid", hint=EXAMPLE
        ) from error
    if parts.scheme not in PORTS:
        why = f"{parts.scheme}:// is not supported; http://, https:// and socks5:// are, as by kubectl"
        raise UsageError(f"{origin} names a proxy that is not supported", why=why, hint=EXAMPLE)
    if not parts.hostname:
        raise UsageError(f"{origin} is not the URL of a proxy", why="it has no host", hint=EXAMPLE)
    scheme = parts.scheme.removesuffix("h")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if scheme == "socks5" and max(len(user.encode()), len(password.encode())) > 255:
        why = "SOCKS5 allows 255 bytes for a user name and for a password"
        raise UsageError(f"{origin} is not the URL of a proxy", why=why, hint=EXAMPLE)
    return Proxy(parts.hostname, port or PORTS[parts.scheme], origin, scheme, user, password)

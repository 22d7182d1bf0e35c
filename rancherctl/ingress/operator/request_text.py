"""Requests as people write them for ``ingress show --request``. Pure."""

from __future__ import annotations

import re
from typing import Final

from rancherctl.errors import UsageError
from rancherctl.ingress.model import Scheme
from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT
from rancherctl.ingress.request import Request
from rancherctl.names import is_dns_name
from rancherctl.net import is_ip, parse_port, split_host_port
from rancherctl.text import quoted

FORM: Final = '"GET https://HOST/PATH"'
_PORTS: Final[dict[Scheme, int]] = {"http": HTTP_PORT, "https": HTTPS_PORT}
_LINE = re.compile(r"(?:(?P<method>[A-Za-z]+)\s+)?(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#]*)(?P<target>.*)")
_TARGET = re.compile(r"[!-~]*")


ACCEPTED: Final = "accepted"
"""Stands for a certificate that the authorities of each host accept."""


def parse_request(
    text: str, source: str = "", sni: str | None = None, length: int | None = None, *, client: bool = False
) -> Request:
    """``[METHOD] http[s]://HOST[:PORT]/PATH`` as a request of the client ``source`` ("" = any).

    ``sni`` is the name in the client's handshake, "" for none; by default it is the URL's host. ``length`` is the
    Content-Length. ``client``: it has a certificate that hosts accept. A request with the method OPTIONS is one of a
    browser about CORS. UsageError if no client could send it.
    """
    if source and not is_ip(source):
        raise UsageError(
            f"invalid client address {quoted(source)}", why="it is not an IP address", hint="--from 192.0.2.7"
        )
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise _invalid(text, f"the form is {FORM}")
    scheme = _scheme(text, found["scheme"].lower())
    if client and scheme == "http":
        raise _without_tls("--client-certificate")
    host, port = split_host_port(found["authority"])
    if not host or "@" in host or not host.isascii() or host != host.strip():
        raise _invalid(text, f"{quoted(found['authority'])} is not a host name with an optional port")
    number = _PORTS[scheme] if port is None else parse_port(port)
    if not number:
        raise _invalid(text, f"{quoted(port or '')} is not a port number")
    target = found["target"]
    if "#" in target:
        raise _invalid(text, "clients do not send the part after a number sign", "leave it out, or write %23")
    if not _TARGET.fullmatch(target):
        raise _invalid(text, "the path has spaces or characters outside ASCII", "write them percent-encoded")
    # Clients send a slash for an empty path: http://HOST?QUERY is asked as /?QUERY.
    target = target if target.startswith("/") else f"/{target}"
    method = (found["method"] or "GET").upper()
    return Request(
        found["authority"],
        target,
        method,
        source,
        scheme,
        number,
        _handshake_name(scheme, host, sni),
        length,
        ACCEPTED if client else "",
        asks_method=method == "OPTIONS",
    )


def _scheme(text: str, scheme: str) -> Scheme:
    if scheme == "http":
        return "http"
    if scheme == "https":
        return "https"
    raise _invalid(text, f"{scheme} is not supported, only http and https")


def _handshake_name(scheme: Scheme, host: str, sni: str | None) -> str:
    """What the client asks for in its handshake: as clients do it, no IP address and no final dot."""
    if sni is None:
        name = host.rstrip(".")
        return "" if scheme == "http" or is_ip(name.strip("[]")) else name
    if scheme == "http":
        raise _without_tls("--sni")
    if sni and not is_dns_name(sni.lower().removesuffix(".")):
        raise UsageError(
            f"invalid name {quoted(sni)} for the TLS handshake", why="it is not a DNS name", hint='--sni "" sends none'
        )
    return sni


def _without_tls(option: str) -> UsageError:
    return UsageError(
        f"{option} without TLS", why="only requests to https have a TLS handshake", hint=f"--request {FORM} {option}"
    )


def _invalid(text: str, why: str, hint: str = "") -> UsageError:
    return UsageError(f"invalid request {quoted(text)}", why=why, hint=hint or f"--request {FORM}")

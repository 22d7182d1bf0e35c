"""Annotations about the ports that an Ingress is served on. Pure.

An invalid port is not replaced by the default one: a firewall may let another port through to fewer clients.
The Ingress is then not served over that protocol, and over the other one it still is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.row import Annotation
from rancherctl.ingress.options import DEFAULT_PORTS, HTTP_PORT, HTTPS_PORT, PortGroup
from rancherctl.placement.model import ObjectProblem

RESERVED: Final = (
    (range(22, 23), "ssh"),
    (range(53, 54), "DNS"),
    (range(2379, 2382), "etcd"),
    (range(6443, 6444), "the API"),
    (range(7443, 7444), "the API balancer"),
    (range(10248, 10260), "Kubernetes"),
    (range(30000, 32768), "NodePorts"),
)
"""Ports of every environment, with what uses them. Hosts know those of their own environment, too."""
NO_PORT: Final = "it is not served over {} until this is fixed"
HTTP_PORT_NAME: Final = "http.port"
HTTPS_PORT_NAME: Final = "https.port"
ALLOW_HTTP_NAME: Final = "allow.http"


def reserved_for(port: int) -> str:
    """What uses a port in every environment; "" if nothing does."""
    return next((user for ports, user in RESERVED if port in ports), "")


def _port(other: int, protocol: str) -> Callable[[str], int]:
    """A parser of ports; ``other`` is the one that always speaks ``protocol``."""

    def parse(text: str) -> int:
        number = values.integer(1, 65535)(text)
        if number == other:
            raise ValueError(f"port {number} is always {protocol}")
        if user := reserved_for(number):
            raise ValueError(f"port {number} is reserved for {user}")
        return number

    return parse


def _row(field: str, name: str, title: str, parse: Callable[[str], Any], allowed: str, effect: str) -> Annotation:
    protocol = "HTTPS" if field == "https_port" else "HTTP"
    instead = (False if field == "allow_http" else None), NO_PORT.format(protocol)
    default = {"http_port": HTTP_PORT, "https_port": HTTPS_PORT, "allow_http": True}[field]
    return Annotation(
        field, title, f"{INGRESS_PREFIX}{name}", parse, default, lambda _: instead, allowed, effect, aliases=(name,)
    )


PORTS: Final = (
    _row(
        "http_port",
        HTTP_PORT_NAME,
        "HttpPort",
        _port(HTTPS_PORT, "HTTPS"),
        f"1 to 65535, but none that the environment uses itself; default {HTTP_PORT}",
        f"port for plain requests, instead of {HTTP_PORT}; hosts on which another program uses it do not carry the "
        "Ingress",
    ),
    _row(
        "https_port",
        HTTPS_PORT_NAME,
        "HttpsPort",
        _port(HTTP_PORT, "plain HTTP"),
        f"1 to 65535, but none that the environment uses itself; default {HTTPS_PORT}",
        f"port for requests over TLS, instead of {HTTPS_PORT}",
    ),
    _row(
        "allow_http",
        ALLOW_HTTP_NAME,
        "AllowHttp",
        values.boolean,
        "true, false; default true",
        "false: plain requests for its hosts get status 404 and are not redirected",
    ),
)


def port_group(
    http: int | None, https: int | None, allow_http: bool, problems: list[ObjectProblem]
) -> tuple[PortGroup, str]:
    """The ports for these values (None = invalid), and why no host can carry the Ingress ("" = hosts can)."""
    if not allow_http and http not in {None, HTTP_PORT}:
        message = f"annotation {HTTP_PORT_NAME} has no effect, because {ALLOW_HTTP_NAME} is false"
        problems.append(ObjectProblem("HttpPortUnused", message, serious=False))
    group = PortGroup(http if allow_http else None, https)
    if group == DEFAULT_PORTS:
        return DEFAULT_PORTS, ""
    if group.http is not None and group.http == group.https:
        message = f"{HTTP_PORT_NAME} and {HTTPS_PORT_NAME} are both {https}; {NO_PORT.format('HTTPS')}"
        problems.append(ObjectProblem("InvalidHttpsPort", message))
        group = PortGroup(http, None)
    return group, "" if group.http or group.https else "it has no valid port"

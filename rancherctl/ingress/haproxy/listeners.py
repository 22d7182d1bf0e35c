"""How a listener is named in HAProxy's configuration: one front end for each listener. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace

from rancherctl.ingress.model import Listener, Model, host_of
from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT
from rancherctl.ingress.tls_model import NO_TLS

_FRONTEND = re.compile(r"^frontend (\S+)(?: from \S+)?$", re.MULTILINE)


def frontend_name(listener: Listener) -> str:
    """The name of its front end: ``http-ipv4-80``."""
    return f"{listener.protocol}-{listener.family.lower()}-{listener.port}"


def names(listeners: Iterable[Listener]) -> str:
    """All names in one line, for messages."""
    return ", ".join(map(frontend_name, listeners)) or "none"


def configured(config: str, listeners: Collection[Listener]) -> tuple[Listener, ...]:
    """Those of ``listeners`` that a configuration file opens.

    Release 0.1 had one front end for both address families, ``http80``.
    """
    written = set(_FRONTEND.findall(config))
    return tuple(x for x in listeners if written & {frontend_name(x), f"{x.protocol}{x.port}"})


def open_ports(listeners: Collection[Listener], wanted: Iterable[Listener]) -> frozenset[int]:
    """The ports, as Ingresses name them, whose ``wanted`` listeners are all open.

    A default port that the host does not have at all counts as open.
    """
    missing = {_named(x) for x in wanted if x not in listeners}
    return frozenset({HTTP_PORT, HTTPS_PORT, *map(_named, listeners)}) - missing


def _named(listener: Listener) -> int:
    """Its port as Ingresses name it."""
    if listener.own:
        return listener.port
    return HTTPS_PORT if listener.protocol == "https" else HTTP_PORT


def reachable(model: Model) -> Model:
    """``model`` without what it says about TLS on ports that none of its listeners opens.

    HAProxy has neither the certificates of such a port nor a port to redirect to.
    """
    secure = {_named(x) for x in model.listeners if x.protocol == "https"}
    plain = {_named(x) for x in model.listeners if x.protocol == "http"}
    if not secure:
        return replace(model, tls=NO_TLS)
    if not model.ports and {HTTP_PORT, HTTPS_PORT} <= secure | plain:
        return model
    tls = model.tls

    def port(site: str, default: int) -> int:
        return int(site[len(host_of(site)) + 1 :] or default)

    redirects = {
        site: status
        for site, status in tls.redirects.items()
        if port(site, HTTP_PORT) in plain and tls.https_ports.get(site, HTTPS_PORT) in secure
    }
    kept = replace(
        tls,
        names={name: contents for name, contents in tls.names.items() if port(name, HTTPS_PORT) in secure},
        sites=frozenset(site for site in tls.sites if port(site, HTTPS_PORT) in secure),
        redirects=redirects,
        https_ports={site: number for site, number in tls.https_ports.items() if site in redirects},
    )
    return replace(model, tls=kept)

"""How a listener is named in HAProxy's configuration: one front end for each listener. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from rancherctl.ingress.model import Listener

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

"""Settings of the load-balancer role of one host."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rancherctl import contract
from rancherctl.ingress.haproxy import render
from rancherctl.ingress.haproxy.driver import local_paths
from rancherctl.ingress.model import NO_PROXIES, Listener, Proxies
from rancherctl.ingress.options import AccessLog
from rancherctl.ingress.role.reload_pacing import USUAL, ReloadPauses
from rancherctl.ingress.translate.certificates import NO_POLICY, TlsPolicy

SAVE_SECONDS: Final = 0.2
"""After this time a change that HAProxy follows is on the disk; until then a restart of both loses it."""


@dataclass(frozen=True, slots=True)
class LbConfig:
    """``node`` is this host's name in the roster.

    ``drain`` is the time between an address leaving a status and the removal of the route, in seconds. ``dns`` is the
    host's DNS server, which resolves the names behind ExternalName Services; ``external_names``: whether these are
    served. ``proxies`` are in front of the load balancers.  ``tls`` is what the environment says about HTTPS, and
    ``reserved`` are ports that it does not give to Ingresses. ``access_log`` counts for Ingresses that do not say which
    requests are logged. ``save_after``: seconds until a change is saved.
    """

    node: str
    listeners: tuple[Listener, ...]
    drain: float = 2.0
    dns: str = contract.LINK_LOCAL_DNS
    external_names: bool = True
    proxies: Proxies = NO_PROXIES
    tls: TlsPolicy = NO_POLICY
    reserved: frozenset[int] = frozenset()
    access_log: AccessLog = "errors"
    paths: render.Paths = field(default_factory=local_paths)
    reloads: ReloadPauses = USUAL
    save_after: float = SAVE_SECONDS

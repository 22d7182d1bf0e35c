"""The role ``lb`` as the agent loads it (role_spec.RoleModule)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rancherctl.hosts.model import Resource
from rancherctl.hosts.transport import Transport
from rancherctl.ingress.haproxy import install
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.options import AccessLog
from rancherctl.role_spec import HostRole, HostSettings, Relist

_ACCESS_LOG: Final[Mapping[str, AccessLog]] = {"all": "true", "none": "false"}
"""What the environment says → the same as an annotation."""


def build(settings: HostSettings, _transport: Transport, _relist: Relist) -> HostRole:
    """Return the role that keeps this host's HAProxy up to date."""
    from rancherctl.ingress.haproxy.driver import local_paths
    from rancherctl.ingress.model import Proxies, http_listeners, https_listeners
    from rancherctl.ingress.role.config import LbConfig
    from rancherctl.ingress.role.reconcile import LbRole
    from rancherctl.ingress.translate.certificates import TlsPolicy

    paths = local_paths(keys_on_disk=settings.keys_on_disk)
    http, https = settings.http_port, settings.https_port
    listeners = (*http_listeners(http, paths.families), *https_listeners(https, paths.families))
    return LbRole(
        LbConfig(
            settings.node,
            listeners,
            dns=settings.dns_addresses[0],
            external_names=settings.external_names,
            proxies=Proxies(settings.trusted_proxies, settings.proxy_protocol),
            tls=TlsPolicy(settings.default_certificate, settings.tls_redirect),
            access_log=_ACCESS_LOG.get(settings.access_log, "errors"),
            reserved=frozenset(settings.ingress_reserved),
            paths=paths,
        )
    )


def resources(settings: HostSettings) -> tuple[Resource, ...]:
    """Package, folders, an idle configuration and the unit."""
    return install.resources(install.IngressHostConfig(Paths(keys_on_disk=settings.keys_on_disk)))

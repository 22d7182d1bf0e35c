"""Which Services without a class get addresses of hosts once an environment serves them."""

from __future__ import annotations

from collections.abc import Iterable

from rancherctl.kube.client import SERVICES, KubeClient
from rancherctl.kube.objects import Service, service
from rancherctl.services.model import port_text


def read(client: KubeClient) -> tuple[str, ...]:
    """``publishing`` for the objects that the API has now."""
    return publishing(map(service, client.list(SERVICES).items))


def publishing(services: Iterable[Service]) -> tuple[str, ...]:
    """Those Services with their ports, ``namespace/name (80/TCP, 53/UDP)``, sorted."""
    waiting = (s for s in services if s.type == "LoadBalancer" and not s.lb_class and not s.lb_addresses)
    return tuple(sorted(f"{s.meta.key} ({_ports(s)})" for s in waiting))


def _ports(of: Service) -> str:
    return ", ".join(port_text((port.protocol.lower(), port.port)) for port in of.ports)

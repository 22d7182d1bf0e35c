"""A Service of type LoadBalancer as placement sees it, and what hosts report about ports and kube-proxy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.contract import SERVICE_CLASS
from rancherctl.kube.objects import Service
from rancherctl.placement.model import ObjectProblem, PlacementOptions
from rancherctl.text import and_more, short_digest

KEY_PREFIX: Final = "svc/"
"""Services and Ingresses of the same name are different objects for the hash that places them."""
FOREIGN: Final = "ForeignAddresses"
"""Reason of the problem of a Service without a class in whose status another controller writes: it is left alone."""

POD_WORDS: Final = "hostPort of pod"
"""How a host reports a port that goes to a pod: no program listens there, so the load balancer cannot notice it."""

CONDITION: Final = "rancherctl.io/LoadBalancer"
"""Type of the condition in a Service's status that only rancherctl writes."""
MAX_SERVICES: Final = 2000
"""Services that one host publishes: each is an entry of its report, and a ConfigMap holds a megabyte."""
Port = tuple[str, int]
"""Protocol in lower case, and number."""


def ports_of(service: Service) -> frozenset[Port]:
    """All ports of a Service."""
    return frozenset((p.protocol.lower(), p.port) for p in service.ports)


def port_text(port: Port) -> str:
    """For people: ``53/UDP``."""
    return f"{port[1]}/{port[0].upper()}"


def foreign(addresses: Iterable[str]) -> ObjectProblem:
    """The obstacle of a Service in whose status another controller writes these addresses."""
    text = (
        f"another controller has published {and_more(list(addresses))}; set spec.loadBalancerClass to one of them,"
        f" or to {SERVICE_CLASS}"
    )
    return ObjectProblem(FOREIGN, text)


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """One Service that wants addresses.

    ``name`` is ``namespace/name``; ``created`` and ``uid`` order Services, the oldest first. ``endpoints`` are hosts
    that may be published: None = all (policy Cluster), else those with an endpoint of their own (Local).
    ``requested`` is the only address that the user accepts ("" = any). ``obstacle`` says why it gets no address at all.
    ``unknown`` are addresses of no host in a status that we wrote: of a host that left, or of another controller.
    """

    name: str
    uid: str = ""
    created: str = ""
    options: PlacementOptions = field(default_factory=PlacementOptions)
    ports: frozenset[Port] = frozenset()
    families: tuple[str, ...] = ()
    endpoints: frozenset[str] | None = None
    requested: str = ""
    published: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    obstacle: ObjectProblem | None = None
    problems: tuple[ObjectProblem, ...] = ()

    @property
    def key(self) -> str:
        """Identity for rendezvous hashing."""
        return KEY_PREFIX + self.name

    @property
    def age(self) -> tuple[str, str]:
        """Sort key: the oldest first."""
        return self.created, self.uid


@dataclass(frozen=True, slots=True)
class HostPorts:
    """What one host reports.

    ``used`` maps ports to the program or pod that has them, in words. ``load_balancer`` are ports on which its load
    balancer serves Ingresses. ``proxy_error`` says why kube-proxy cannot take new Services ("" = it can).
    ``programmed`` maps ``namespace/name`` to the digest of the addresses and ports that kube-proxy has on this host
    (``programmed_digest``). ``draining`` are those that it serves by rules of its own while their address leaves their
    status, and shortly after; None: its agent has no such rules. ``prepared`` are those for which the leader has asked
    for such rules, and which have them; None: its agent does not know such requests. ``reported``: False as long as its
    agent has not said anything (an older release, say), or cannot read its ports, because of ``error``.
    """

    used: Mapping[Port, str] = field(default_factory=dict)
    load_balancer: frozenset[int] = frozenset()
    proxy_error: str = ""
    programmed: Mapping[str, str] = field(default_factory=dict)
    reported: bool = True
    error: str = ""
    draining: Mapping[str, str] | None = None
    prepared: Mapping[str, str] | None = None


def programmed_digest(address: str, ports: frozenset[Port]) -> str:
    """Names what kube-proxy has for one Service at one address: the same text on every host."""
    return short_digest(f"{address} {' '.join(port_text(port) for port in sorted(ports))}")

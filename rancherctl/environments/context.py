"""What planning and applying need from their caller, in one value."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rancherctl.bundle.model import Bundle
from rancherctl.environments.design import Extras
from rancherctl.environments.model import Environment
from rancherctl.events import Emit, Event, ignore
from rancherctl.hosts.model import Host, Resource
from rancherctl.hosts.transport import Transport
from rancherctl.kube.client import KubeClient
from rancherctl.proxy.choice import Proxy


def no_extras(_environment: Environment, _host: Host) -> tuple[Resource, ...]:
    """``Extras`` of an environment without agents."""
    return ()


def no_services(_client: KubeClient) -> tuple[str, ...]:
    """``publishing`` of an environment without load balancers."""
    return ()


def no_redirects(_client: KubeClient, _default_certificate: bool) -> tuple[str, ...]:
    """``redirecting`` of an environment without load balancers."""
    return ()


def _no_proxy(_url: str) -> None:
    return None


def _now() -> datetime:
    return datetime.now(UTC)


def _operator() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Context:
    """What the caller provides.

    ``transport`` gives a host's connection (its owner closes it), ``extras`` the resources of agents and their roles.
    ``operator`` is shown to other operators while the lock is held. ``now`` is an aware UTC clock. ``parallel`` limits
    how many hosts are worked on at once.
    """

    transport: Callable[[Host], Transport]
    bundle: Bundle
    extras: Extras = no_extras
    emit: Emit = ignore
    operator: str = field(default_factory=_operator)
    now: Callable[[], datetime] = _now
    parallel: int = 30
    proxy: Callable[[str], Proxy | None] = _no_proxy
    """The proxy for the URL of an API."""
    redirecting: Callable[[KubeClient, bool], tuple[str, ...]] = no_redirects
    publishing: Callable[[KubeClient], tuple[str, ...]] = no_services
    """Keys of Ingresses with TLS; the flag says whether there is a default certificate for names without a secret."""

    def observing_interrupted(self) -> None:
        """Say, after Ctrl-C while hosts are only observed, what is still under way (for ``fanout.each``)."""
        text = "interrupted: waiting for answers that are under way; press Ctrl-C again to stop at once"
        self.emit(Event("interrupt", text, "", "note", "warning"))

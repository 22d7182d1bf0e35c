"""What planning and applying need from outside, in one value that the caller composes."""

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


def no_extras(_environment: Environment, _host: Host) -> tuple[Resource, ...]:
    """An ``Extras`` for environments without agents."""
    return ()


def _now() -> datetime:
    return datetime.now(UTC)


def _operator() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Context:
    """``transport`` gives a host's connection (it owns and closes them), ``extras`` the resources of agents and their roles.

    ``operator`` is shown to others while the lock is held. ``now`` is an aware UTC clock. ``parallel`` bounds the hosts worked on at once.
    """

    transport: Callable[[Host], Transport]
    bundle: Bundle
    extras: Extras = no_extras
    emit: Emit = ignore
    operator: str = field(default_factory=_operator)
    now: Callable[[], datetime] = _now
    parallel: int = 30

    def looking_stopped(self) -> None:
        """Say after Ctrl-C what is still waited for, when hosts are only looked at (for ``fanout.each``)."""
        text = "interrupted: answers that are on their way are waited for; Ctrl-C again does not wait for them"
        self.emit(Event("interrupt", text, "", "note", "warning"))

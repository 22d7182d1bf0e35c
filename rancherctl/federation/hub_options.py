"""HubOptions: what the federation's process gives its Hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rancherctl.contract import FEDERATION_CONTROLLER
from rancherctl.federation.host_names import Resolve, system_resolver
from rancherctl.federation.model import FederationSettings
from rancherctl.federation.public_names import Names, NoNames


def _no_names(_settings: FederationSettings) -> Names:
    return NoNames()


@dataclass(frozen=True, slots=True)
class HubOptions:
    """``clock``: monotonic seconds, ``now``: RFC 3339, ``wake``: asks for a call, ``gate``: raises if it may not write.

    ``agent`` is how it is called in the logs of members' APIs. ``resolve`` looks up host names of load balancers.
    """

    leading: Callable[[], bool]
    gate: Callable[[], object]
    wake: Callable[[], None]
    clock: Callable[[], float]
    now: Callable[[], str]
    agent: str = FEDERATION_CONTROLLER
    names: Callable[[FederationSettings], Names] = _no_names
    resolve: Resolve = field(default_factory=system_resolver)

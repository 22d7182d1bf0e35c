"""Change between direct routes and VXLAN while pods keep talking: both ends receive before either one sends. Pure.

Hosts get a new network mode within seconds of each other. One that encapsulates its packets before the other has its
VXLAN device would lose them. So a host that changes makes the device and its tunnels first, and sends through them
later; on the way back it sends directly at once, and keeps the tunnels for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from rancherctl.contract import VXLAN_DEVICE
from rancherctl.network.model import KernelRoute, NetworkState, Tunnel

SWITCH_SECONDS: Final = 20.0
"""How long the other hosts may take to get their new configuration."""


def is_changing(before: NetworkState | None, wanted: NetworkState) -> bool:
    """Whether pods of a host that remains are reached in another way than before."""
    return before is not None and bool(_later(before, wanted) or _kept(before, wanted))


def staged(before: NetworkState, wanted: NetworkState) -> NetworkState:
    """The state in between: routes that will use VXLAN are still direct, tunnels of direct routes still exist."""
    later, kept = _later(before, wanted), _kept(before, wanted)
    routes = tuple(sorted(later.get(route.destination, route) for route in wanted.routes))
    vxlan = wanted.vxlan or (before.vxlan if kept else None)
    if vxlan is not None:
        tunnels = {tunnel.address: tunnel for tunnel in (*kept, *(wanted.vxlan.tunnels if wanted.vxlan else ()))}
        vxlan = replace(vxlan, tunnels=tuple(sorted(tunnels.values())))
    return replace(wanted, routes=routes, vxlan=vxlan)


def _later(before: NetworkState, wanted: NetworkState) -> Mapping[str, KernelRoute]:
    """By destination: the direct routes of ``before`` in place of which ``wanted`` uses VXLAN."""
    direct = {route.destination: route for route in before.routes if not route.device}
    return {
        route.destination: direct[route.destination]
        for route in wanted.routes
        if route.device == VXLAN_DEVICE and route.destination in direct
    }


def _kept(before: NetworkState, wanted: NetworkState) -> tuple[Tunnel, ...]:
    """The tunnels of ``before`` to hosts to which ``wanted`` has direct routes."""
    direct = {route.via for route in wanted.routes if not route.device}
    return tuple(tunnel for tunnel in before.vxlan.tunnels if tunnel.host in direct) if before.vxlan else ()

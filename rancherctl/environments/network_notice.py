"""The warning of a plan that changes the mode of the pod network of a living environment. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.model import Environment

_WAYS: Final = {
    "vxlan": "packets between pods of different hosts will be encapsulated (UDP port 4789 between hosts)",
    "routed": "packets between pods of hosts on one subnet will carry pod addresses again",
}
_MTU: Final = {
    "vxlan": "pods that start from then on have an MTU that is 50 bytes smaller; running pods keep theirs",
    "routed": "pods that start from then on may have an MTU that is 50 bytes larger; running pods keep theirs",
}


def mode_changes(stored: Environment, wanted: Environment) -> str:
    """What changing ``stored`` into ``wanted`` does to pods; "" if the mode stays."""
    mode = wanted.network.mode
    if stored.network.mode == mode or mode not in _WAYS:
        return ""
    change = f"spec.network.mode changes from {stored.network.mode} to {mode}"
    return f"{change}: {_WAYS[mode]}; {_MTU[mode]}"

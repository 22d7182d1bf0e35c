"""Whether Services without a class get addresses, if the environment's file does not say it. Pure.

In an environment that a release without this feature applied, Services that were pending must not get public addresses
by an apply alone. So the first apply of a new environment turns it on, and hosts remember it in their markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from rancherctl.environments.model import Environment, ServiceSettings

KEY: Final = "services_default"
"""Key in a host's marker."""


def settled(environment: Environment, markers: Iterable[Mapping[str, Any]]) -> Environment:
    """The environment with the value that applies; ``markers`` are those of its hosts, {} for a host without one."""
    if environment.services.default is not None:
        return environment
    ours = [marker for marker in markers if marker.get("environment") == environment.name]
    default = any(marker.get(KEY) is True for marker in ours) if ours else True
    return replace(environment, services=ServiceSettings(default))

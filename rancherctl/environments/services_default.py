"""Whether Services without a class get addresses, if the environment's file does not say it. Pure.

In an environment that a release without this feature applied, Services that were pending must not get public addresses
by an apply alone. So the first apply of a new environment turns it on, and hosts remember it in their markers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from rancherctl.environments.model import Environment, ServiceSettings
from rancherctl.text import and_more, plural

SHOWN: Final = 20
KEY: Final = "services_default"
"""Key in a host's marker."""


def settled(environment: Environment, markers: Iterable[Mapping[str, Any]]) -> Environment:
    """The environment with the value that applies; ``markers`` are those of its hosts, {} for a host without one."""
    if environment.is_federation:
        return replace(environment, services=ServiceSettings(False))
    if environment.services.default is not None:
        return environment
    ours = [marker for marker in markers if marker.get("environment") == environment.name]
    default = any(marker.get(KEY) is True for marker in ours) if ours else True
    return replace(environment, services=ServiceSettings(default))


def begins(stored: Environment, wanted: Environment) -> bool:
    """Whether ``wanted`` gives addresses to Services without a class, while the last apply (``stored``) did not."""
    return bool(wanted.services.default) and not stored.services.default


def notice(services: Sequence[str]) -> str:
    """The warning about these Services, each with its ports."""
    return (
        f"after this apply, {plural(len(services), 'Service')} of type LoadBalancer without a class"
        f" will be published on addresses of hosts: {and_more(services, shown=SHOWN)}"
        "; to prevent it, set spec.services.default to false in the environment file"
    )

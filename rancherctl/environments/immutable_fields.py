"""What an existing environment cannot become: one table of fields, compared with record and markers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.environments import services_default
from rancherctl.environments.layout import stamp
from rancherctl.environments.model import Environment
from rancherctl.errors import RefusedError
from rancherctl.hosts.model import Host


@dataclass(frozen=True, slots=True)
class Field:
    """One value that cannot change: its ``key`` in a host's marker, what messages call it, and how to read it.

    ``optional``: markers have it only if it is not empty. ``own``: whether the value belongs to the host rather than to
    the environment. ``changes``: values that may become each other.
    """

    key: str
    name: str
    value: Callable[[Environment, Host], Any]
    own: bool = False
    optional: bool = False
    changes: frozenset[Any] = frozenset()


def _zone(environment: Environment) -> str:
    """The zone of a federation; "" for an environment that is none."""
    return environment.federation.zone if environment.federation else ""


FIELDS: Final = (
    Field("address", "the address", lambda _environment, host: host.address, own=True),
    Field("roles", "the list of roles", lambda _environment, host: sorted(host.roles), own=True),
    Field(
        "kubernetes",
        "spec.kubernetes.version (upgrades of Kubernetes are not supported yet)",
        lambda environment, _host: environment.kubernetes,
    ),
    Field("podCIDR", "spec.network.podCIDR", lambda environment, _host: environment.network.pod_cidr),
    Field("serviceCIDR", "spec.network.serviceCIDR", lambda environment, _host: environment.network.service_cidr),
    Field(
        "mode",
        "spec.network.mode",
        lambda environment, _host: environment.network.mode,
        changes=frozenset({"routed", "vxlan"}),
    ),
    Field("domain", "spec.dns.domain", lambda environment, _host: environment.dns.domain),
    Field("port", "spec.api.port", lambda environment, _host: environment.api.port),
    Field("federation", "spec.federation.zone", lambda environment, _host: _zone(environment), optional=True),
)


def marker_of(environment: Environment, host: Host) -> dict[str, Any]:
    """Content of a host's marker file: its environment, what cannot change meanwhile, and which release wrote it."""
    values = {field: field.value(environment, host) for field in FIELDS}
    fixed = {field.key: value for field, value in values.items() if value or not field.optional}
    services = {} if environment.services.default is None else {services_default.KEY: environment.services.default}
    return {"environment": environment.name, "host": host.name, **fixed, **services, **stamp()}


def refuse(old: Environment, new: Environment, *, begun: bool = False) -> None:
    """RefusedError with everything in ``new`` that ``old`` cannot become. ``begun``: hosts were changed already."""
    changes: dict[str, list[str]] = {}
    for host in old.hosts:
        now = new.host(host.name)
        for field in FIELDS:
            if now is not None and (problem := _problem(field, field.value(old, host), field.value(new, now))):
                changes.setdefault(problem, []).append(host.name if field.own else "")
    gone = [
        f"host {host.name} left the file but is still part of the environment"
        " (removing single hosts is not supported yet)"
        for host in old.hosts
        if new.host(host.name) is None
    ]
    renamed = [f"metadata.name is {old.name} and cannot become {new.name}"] if old.name != new.name else []
    _refuse(new.name, [*renamed, *_lines(changes), *gone], begun=begun)


def refuse_markers(environment: Environment, markers: Mapping[str, Mapping[str, Any]]) -> None:
    """The same by the hosts' markers, so that it holds while the API is down: RefusedError with every difference.

    ``markers`` are the content of marker files by host; values that an older marker lacks are not compared.
    """
    changes: dict[str, list[str]] = {}
    for name, marker in markers.items():
        host = environment.host(name)
        if host is None or marker.get("environment") != environment.name:
            continue
        for field in FIELDS:
            was = marker.get(field.key, "" if field.optional else None)
            if was is not None and (problem := _problem(field, was, field.value(environment, host))):
                changes.setdefault(problem, []).append(name)
    _refuse(environment.name, _lines(changes))


def _problem(field: Field, was: Any, now: Any) -> str:
    if field.key == "federation" and not (was and now) and was != now:
        return "an environment cannot become a federation, nor stop being one (spec.federation)"
    if was == now or (field.changes and {was, now} <= field.changes):
        return ""
    return f"{field.name} is {_shown(was)} and cannot become {_shown(now)}"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _lines(changes: Mapping[str, Iterable[str]]) -> list[str]:
    """``h1, h2: problem``; a problem of the environment as a whole names no host."""
    return [
        f"{', '.join(names)}: {problem}" if (names := [name for name in hosts if name]) else problem
        for problem, hosts in changes.items()
    ]


def _refuse(name: str, problems: list[str], *, begun: bool = False) -> None:
    if problems:
        consequence = "and run it again" if begun else "; nothing was changed"
        raise RefusedError(
            f"environment {name} cannot be changed like this",
            why="; ".join(problems),
            hint=f"restore these values{' ' if begun else ''}{consequence}",
        )

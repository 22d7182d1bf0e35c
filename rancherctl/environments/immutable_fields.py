"""What an apply refuses because the environment already is something else: compared with what was applied last. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rancherctl.environments.model import Environment
from rancherctl.errors import RefusedError
from rancherctl.hosts.model import Host

UPGRADES = "spec.kubernetes.version (upgrades are a command of their own, which is not there yet)"
FIXED = {
    "address": "the address",
    "roles": "the list of roles",
    "kubernetes": UPGRADES,
    "podCIDR": "spec.network.podCIDR",
    "serviceCIDR": "spec.network.serviceCIDR",
    "mode": "spec.network.mode",
    "domain": "spec.dns.domain",
    "port": "spec.api.port",
}
"""What a host's marker says that cannot change, and what the file calls it."""


def refuse(old: Environment, new: Environment, *, begun: bool = False) -> None:
    """RefusedError with everything in ``new`` that an existing environment cannot become. ``begun``: hosts were changed before ``old`` was seen."""
    problems = [*_fixed(old, new), *_hosts(old, new)]
    if problems:
        raise RefusedError(
            f"environment {new.name} cannot be changed like this",
            why="; ".join(problems),
            hint=f"put these values back as they were{' and run it again' if begun else '; nothing was changed anywhere'}",
        )


def refuse_markers(environment: Environment, markers: Mapping[str, Mapping[str, Any]]) -> None:
    """The same by what the hosts themselves say (so it holds while the API is down): RefusedError with every difference.

    ``markers`` are the hosts' marker files by name; values that an older marker does not have are not compared.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for name, marker in markers.items():
        host = environment.host(name)
        if host is None or marker.get("environment") != environment.name:
            continue
        now = marker_of(environment, host)
        for key in FIXED:
            if key in marker and marker[key] != now[key]:
                found.setdefault((key, _shown(marker[key]), _shown(now[key])), []).append(name)
    problems = [
        f"{', '.join(hosts)}: {FIXED[key]} is {was} and cannot become {new}" for (key, was, new), hosts in found.items()
    ]
    if problems:
        raise RefusedError(
            f"environment {environment.name} cannot be changed like this",
            why="; ".join(problems),
            hint="put these values back as they were; nothing was changed anywhere",
        )


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def marker_of(environment: Environment, host: Host) -> dict[str, Any]:
    """What a host's marker file says: whose it is, and what cannot change while it is."""
    return {
        "environment": environment.name,
        "host": host.name,
        "address": host.address,
        "roles": sorted(host.roles),
        "kubernetes": environment.kubernetes,
        "podCIDR": environment.network.pod_cidr,
        "serviceCIDR": environment.network.service_cidr,
        "mode": environment.network.mode,
        "domain": environment.dns.domain,
        "port": environment.api.port,
    }


def _fixed(old: Environment, new: Environment) -> list[str]:
    values = (
        ("metadata.name", old.name, new.name),
        ("spec.network.podCIDR", old.network.pod_cidr, new.network.pod_cidr),
        ("spec.network.serviceCIDR", old.network.service_cidr, new.network.service_cidr),
        ("spec.network.mode", old.network.mode, new.network.mode),
        ("spec.dns.domain", old.dns.domain, new.dns.domain),
        ("spec.api.port", str(old.api.port), str(new.api.port)),
        (UPGRADES, old.kubernetes, new.kubernetes),
    )
    return [f"{name} is {was} and cannot become {now}" for name, was, now in values if was != now]


def _hosts(old: Environment, new: Environment) -> list[str]:
    out = []
    for host in old.hosts:
        now = new.host(host.name)
        if now is None:
            out.append(
                f"host {host.name} left the file but is still part of the environment (removing single hosts is not there yet)"
            )
        elif now.address != host.address:
            out.append(f"host {host.name} has address {host.address} and cannot move to {now.address}")
        elif now.roles != host.roles:
            out.append(
                f"host {host.name} is {', '.join(sorted(host.roles))} and cannot become {', '.join(sorted(now.roles))}"
            )
    return out

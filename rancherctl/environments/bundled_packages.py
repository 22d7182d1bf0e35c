"""Packages from the bundle: whether it has any for a host, and which .debs.

The bundle alone decides that, never what a host can reach (ADR 29).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from rancherctl.bundle.distribution.offer import Offer, OfferedDeb
from rancherctl.bundle.distribution.systems import too_old
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.model import Deb, Package, Resource, key
from rancherctl.hosts.packages.resolve import Install, resolve
from rancherctl.hosts.state import ObservedResources, ResourceState, state
from rancherctl.hosts.transport import Transport


@dataclass(frozen=True, slots=True)
class Chosen:
    """The packages phase of a host: its resources with their files, and ``problems`` that prevent it, one line each.

    ``replaced`` maps keys of packages whose version changes to their present state.
    """

    resources: tuple[Resource, ...]
    replaced: dict[str, ResourceState]
    problems: tuple[str, ...] = ()


def system_of(facts: HostFacts) -> str:
    """``debian13``; "" if it is unknown."""
    return f"{facts.os_id}{facts.os_version}" if facts.os_id and facts.os_version else ""


def unavailable(host: str, facts: HostFacts, systems: Collection[str]) -> list[str]:
    """Why a bundle with packages for these ``systems`` cannot be used on a host. Pure.

    A bundle without packages is always usable: apt installs from its mirrors.
    """
    system = system_of(facts)
    if not systems or system in systems:
        return []
    if not system:
        return [
            f"{host}: its operating system is unknown, so the bundle's packages cannot be chosen (fix /etc/os-release)"
        ]
    listed = ", ".join(sorted(systems))
    remedy = f"create it with --packages {system} too, or without --packages to install from apt's mirrors"
    return [f"{host}: is {system}, but the bundle has packages for {listed} only ({remedy})"]


def outdated(host: str, facts: HostFacts) -> list[str]:
    """Packages that are installed, would not be changed, and are too old. Pure."""
    found = (too_old(name, version) for name, version in sorted((facts.packages or {}).items()))
    return [f"{host}: its {line} (upgrade it, or remove it so that a newer one is installed)" for line in found if line]


def choose(transport: Transport, offer: Offer, wanted: Iterable[Resource], observed: ObservedResources) -> Chosen:
    """Ask the host's apt what installing the missing packages from the bundle takes, if any are missing."""
    resources = tuple(wanted)
    missing = [r.name for r in resources if isinstance(r, Package) and key(r) not in observed.states]
    if not missing or any(unknown.where == "packages" for unknown in observed.unknown):
        return Chosen(resources, {})
    lacking = sorted(set(missing) - offer.debs.keys())
    if lacking:
        why = f"{', '.join(lacking)} is not installed, and the bundle has no such package for {offer.system}"
        return Chosen(resources, {}, (f"{transport.name}: {why} ({_remedy(offer)})",))
    found = resolve(transport, offer.index, missing)
    if found.refused:
        names = ", ".join(sorted(missing))
        why = f"apt cannot install {names} from the bundle's packages for {offer.system}: {found.refused}"
        return Chosen(resources, {}, (f"{transport.name}: {why} ({_remedy(offer)})",))
    return complete(offer, resources, frozenset(missing), found.installs)


def complete(
    offer: Offer, resources: Iterable[Resource], missing: frozenset[str], installs: Iterable[Install]
) -> Chosen:
    """The resources with the files they come from, and with the dependencies that they need. Pure."""
    out = [
        replace(r, deb=_deb(offer.debs[r.name])) if isinstance(r, Package) and r.name in missing else r
        for r in resources
    ]
    named = {r.name for r in out if isinstance(r, Package)}
    replaced = {}
    for install in installs:
        if install.name in missing:
            continue
        package = Package(install.name, deb=_deb(offer.debs[install.name]), dependency_only=True)
        if install.name in named:
            # wanted and installed, but in a version that conflicts with another package
            package = replace(
                package, mask=next(r.mask for r in out if isinstance(r, Package) and r.name == install.name)
            )
            out = [r for r in out if not (isinstance(r, Package) and r.name == install.name)]
        out.append(package)
        if install.old:
            replaced[key(package)] = state(
                "package", install.name, installed="yes", masked=",".join(sorted(package.mask)), version=install.old
            )
    return Chosen(tuple(out), replaced)


def _deb(offered: OfferedDeb) -> Deb:
    return Deb(offered.version, offered.file, offered.local, offered.sha256, offered.size)


def _remedy(offer: Offer) -> str:
    return f"create the bundle again with --packages {offer.system}, or install it there by hand"

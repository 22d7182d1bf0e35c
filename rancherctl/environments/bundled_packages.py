"""Packages out of the bundle: whether a host is served, and with which .debs. Chosen by the bundle alone, never by what can be reached."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from rancherctl.bundle.distribution.offer import Offer, OfferedDeb
from rancherctl.bundle.distribution.systems import too_old
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.model import Deb, Package, Resource, key
from rancherctl.hosts.packages.resolve import Install, resolve
from rancherctl.hosts.state import Observed, ResourceState, state
from rancherctl.hosts.transport import Transport


@dataclass(frozen=True, slots=True)
class Served:
    """The packages phase of a host: what it wants now, ``replaced`` (key → state) of packages whose version changes, and what stands in the way."""

    resources: tuple[Resource, ...]
    replaced: dict[str, ResourceState]
    problems: tuple[str, ...] = ()


def system_of(facts: HostFacts) -> str:
    """``debian13``; "" when it could not be told."""
    return f"{facts.os_id}{facts.os_version}" if facts.os_id and facts.os_version else ""


def unserved(host: str, facts: HostFacts, systems: Collection[str]) -> list[str]:
    """What stands in the way when a bundle has packages for these systems (none at all: apt serves every host). Pure."""
    system = system_of(facts)
    if not systems or system in systems:
        return []
    if not system:
        return [
            f"{host}: its system could not be told, so that no packages of the bundle can be chosen (mend /etc/os-release)"
        ]
    have = ", ".join(sorted(systems))
    remedy = f"make it with --packages {system} as well, or without --packages: then apt takes them from mirrors"
    return [f"{host}: is {system}, the bundle has packages for {have} only ({remedy})"]


def outdated(host: str, facts: HostFacts) -> list[str]:
    """Packages that are there and would be left alone, but are too old for us. Pure."""
    found = (too_old(name, version) for name, version in sorted((facts.packages or {}).items()))
    return [f"{host}: its {line} (upgrade it, or remove it and a newer one is installed)" for line in found if line]


def serve(transport: Transport, offer: Offer, wanted: Iterable[Resource], observed: Observed) -> Served:
    """Ask the host's apt what installing the missing packages out of the bundle takes; nothing is asked where nothing is missing."""
    resources = tuple(wanted)
    missing = [r.name for r in resources if isinstance(r, Package) and key(r) not in observed.states]
    if not missing or any(unknown.where == "packages" for unknown in observed.unknown):
        return Served(resources, {})
    lacking = sorted(set(missing) - offer.debs.keys())
    if lacking:
        why = f"{', '.join(lacking)} is not installed, and not among the bundle's packages for {offer.system}"
        return Served(resources, {}, (f"{transport.name}: {why} ({_remedy(offer)})",))
    found = resolve(transport, offer.index, missing)
    if found.refused:
        why = f"apt cannot install {', '.join(sorted(missing))} out of the bundle's packages for {offer.system}: {found.refused}"
        return Served(resources, {}, (f"{transport.name}: {why} ({_remedy(offer)})",))
    return complete(offer, resources, frozenset(missing), found.installs)


def complete(
    offer: Offer, resources: Iterable[Resource], missing: frozenset[str], installs: Iterable[Install]
) -> Served:
    """The resources with the files they come from, and with what they pull in. Pure."""
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
            # one that we want and that is there, in a version that another one cannot be installed beside
            package = replace(
                package, mask=next(r.mask for r in out if isinstance(r, Package) and r.name == install.name)
            )
            out = [r for r in out if not (isinstance(r, Package) and r.name == install.name)]
        out.append(package)
        if install.old:
            replaced[key(package)] = state(
                "package", install.name, installed="yes", masked=",".join(sorted(package.mask)), version=install.old
            )
    return Served(tuple(out), replaced)


def _deb(offered: OfferedDeb) -> Deb:
    return Deb(offered.version, offered.file, offered.local, offered.sha256, offered.size)


def _remedy(offer: Offer) -> str:
    return f"make the bundle again with --packages {offer.system}, or install it there by hand"

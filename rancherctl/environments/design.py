"""What every host of an environment should look like, phase by phase. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from rancherctl.bundle.distribution.offer import systems
from rancherctl.bundle.layout import host_artefacts
from rancherctl.bundle.model import Bundle
from rancherctl.environments.components import places
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.components.registry import Inputs, components_of
from rancherctl.environments.immutable_fields import marker_of
from rancherctl.environments.model import Environment
from rancherctl.environments.phase_names import HOST_PHASES, PhaseName
from rancherctl.errors import InvalidInputError
from rancherctl.hosts.model import Absent, Artefact, Directory, File, Host, Package, Resource, User, key
from rancherctl.hosts.packages.upload import FOLDER

Extras = Callable[[Environment, Host], tuple[Resource, ...]]
Design = dict[PhaseName, tuple[Resource, ...]]
COMPONENT_PHASES: tuple[PhaseName, ...] = ("etcd", "control-plane", "nodes", "agents")
MARKER = f"{places.ETC}/environment.json"


def design(environment: Environment, host: Host, machine: MachineFacts, bundle: Bundle, extras: Extras) -> Design:
    """The resources of a host by phase.

    Packages, users and folders of all components come first, then the artefacts, then each component.
    """
    parts: dict[PhaseName, list[Resource]] = {name: [] for name in HOST_PHASES}
    artefacts, archives = bundle_files(bundle, host)
    inputs = Inputs(environment, host, machine, tuple(archives))
    for component in components_of(environment, host):
        parts[component.phase] += component.resources(inputs)
    parts["agents"] += extras(environment, host)
    early: list[Resource] = [marker(environment, host), Package("openssl")]
    if machine.system in systems(bundle.manifest):
        early.append(Absent(FOLDER))  # an interrupted run may have left it
    for name in COMPONENT_PHASES:
        early += [r for r in parts[name] if isinstance(r, (Package, User, Directory))]
        artefacts += [r for r in parts[name] if isinstance(r, Artefact)]
        parts[name] = [r for r in parts[name] if not isinstance(r, (Package, User, Directory, Artefact))]
    parts["packages"], parts["artefacts"] = _merged(host, early), list(artefacts)
    return {name: tuple(found) for name, found in parts.items()}


def bundle_files(bundle: Bundle, host: Host) -> tuple[list[Resource], list[str]]:
    """(artefacts, paths of image archives) of a host. CNI plug-ins go to the standard folder only (ADR 16)."""
    out: list[Resource] = []
    archives: list[str] = []
    for item in host_artefacts(bundle, frozenset(host.roles)):
        out += [
            Artefact(path, item.local, item.sha256, item.size, item.mode, item.component, item.version)
            for path in item.copies or (item.remote,)
        ]
        if item.reference:
            archives.append(item.remote)
    return out, archives


def marker(environment: Environment, host: Host) -> File:
    """The file that says which environment the host belongs to; read by preflight, ``env fetch`` and ``env rm``."""
    return File(MARKER, (json.dumps(marker_of(environment, host), indent=1) + "\n").encode())


def _merged(host: Host, resources: Iterable[Resource]) -> list[Resource]:
    """Each package, user and folder once; the masks that several components want for a package are united."""
    out: dict[str, Resource] = {}
    for resource in resources:
        name = key(resource)
        before = out.get(name)
        if isinstance(before, Package) and isinstance(resource, Package):
            out[name] = Package(resource.name, tuple(sorted({*before.mask, *resource.mask})))
        elif before is not None and before != resource:
            raise InvalidInputError(
                f"{host.name}: two components describe {name} differently", [repr(before), repr(resource)]
            )
        else:
            out[name] = resource
    return list(out.values())

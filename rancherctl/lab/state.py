"""What is remembered of labs: state.json per lab, written before the first thing is made and removed last."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from rancherctl.errors import NotFoundError, UsageError
from rancherctl.files import replace as replace_file
from rancherctl.lab.command import LabError
from rancherctl.lab.model import NAME, Lab, LabSpec
from rancherctl.lab.paths import Roots

VERSION = 1


def encode(lab: Lab, tree: Path) -> str:
    """The file's text. Hosts and addresses are there for readers of the file; spec and networks are what counts."""
    spec = lab.spec
    return json.dumps(
        {
            "version": VERSION,
            "name": lab.name,
            "spec": {"hosts": spec.hosts, "subnets": spec.subnets, "bare": spec.bare, "os": spec.os} | _site(spec),
            "networks": [str(network) for network in lab.networks],
            "tree": str(tree),
            "hosts": [{"name": host.name, "address": str(host.address), "subnet": host.subnet} for host in lab.hosts],
        },
        indent=2,
    )


def _site(spec: LabSpec) -> dict[str, Any]:
    """What only some labs have; other releases can read the file of a lab without it."""
    firewall = {"firewall": spec.firewall} if spec.firewall else {}
    return firewall | ({"filter_pod_sources": True} if spec.filter_pod_sources else {})


def decode(text: str) -> tuple[Lab, Path]:
    """The lab and its tree; ValueError or KeyError if the file is malformed."""
    data = json.loads(text)
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']}")
    spec = LabSpec(data["name"], **data["spec"])
    return Lab(spec, tuple(IPv4Network(network) for network in data["networks"])), Path(data["tree"])


def save(roots: Roots, lab: Lab, tree: Path) -> None:
    """Write state.json."""
    replace_file(roots.lab(lab.name).state, encode(lab, tree).encode(), mode=0o644, folders=0o755)


def load(roots: Roots, name: str) -> tuple[Lab, Path]:
    """The lab of that name and its tree; NotFoundError where there is none, LabError where its file cannot be read."""
    path = roots.lab(name).state
    try:
        return decode(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"lab {name!r} does not exist", hint=f"rancherctl lab up --name {name}") from error
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise LabError(
            f"cannot read {path}", why=str(error), hint=f"rancherctl lab down --name {name} removes what is there"
        ) from error


def spec_of(roots: Roots, name: str) -> LabSpec | None:
    """What the lab of that name is like, None where there is none; LabError where its file cannot be read."""
    try:
        return load(roots, name)[0].spec
    except NotFoundError:
        return None


def names(roots: Roots) -> tuple[str, ...]:
    """The names of all labs, also of half made ones. Other folders, like lost+found, are none."""
    if not roots.state.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in roots.state.iterdir() if entry.is_dir() and NAME.fullmatch(entry.name)))


def taken_networks(roots: Roots) -> frozenset[IPv4Network]:
    """Subnets assigned to labs, running or not. For a lab with an unreadable file, the machine's routes show them."""
    found: set[IPv4Network] = set()
    for name in names(roots):
        try:
            found.update(load(roots, name)[0].networks)
        except (LabError, NotFoundError):
            continue
    return frozenset(found)

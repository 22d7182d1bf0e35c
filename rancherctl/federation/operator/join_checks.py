"""What prevents a join, and what should be known before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.contract import FEDERATION_NAMESPACE_PREFIX, FEDERATION_UID_ANNOTATION
from rancherctl.errors import RancherctlError
from rancherctl.federation import tokens
from rancherctl.federation.cluster import Cluster
from rancherctl.kube.client import Json

OLDEST: Final = (1, 30)
"""The first Kubernetes with ValidatingAdmissionPolicies, which narrow the rights of a federation."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What joins: the ``name`` of the member and its API as the federation is to reach it.

    ``labels`` and ``addresses`` () = those of an earlier join, or none and those of the member's hosts;
    ``removed_labels``: keys that an earlier join has written and the member no longer has.
    ``reachable``: asks the federation's host whether it can connect; "" or why not. Of several servers, one is enough.
    """

    name: str
    servers: tuple[str, ...]
    ca: str
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    open_default: bool = True
    reachable: Callable[[str], str] = lambda _: ""
    removed_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What both APIs say before anything is changed."""

    federation_uid: str
    member_uid: str
    namespaces: Mapping[str, Json]
    clusters: Mapping[str, Cluster]
    addresses: tuple[str, ...]
    version: str = ""
    missing: tuple[str, ...] = ()
    federation_version: str = ""


def problems(federation: str, wanted: Wanted, seen: Seen) -> list[str]:
    """Everything that prevents the join, one line each. Pure but for ``wanted.reachable``.

    Errors of ``wanted.reachable`` are raised unless there are other problems.
    """
    out = []
    if seen.member_uid == seen.federation_uid:
        return [f"{wanted.name} is the federation itself: it cannot be its own member"]
    for name, found in seen.clusters.items():
        if found.status.get("uid") == seen.member_uid and name != wanted.name:
            out.append(f"this environment is already the member {name} of {federation}")
    known = seen.clusters.get(wanted.name)
    if known is not None and known.status.get("uid") not in (None, "", seen.member_uid):
        out.append(f"the member {wanted.name} of {federation} is another environment (uid {known.status.get('uid')})")
    if known is not None and known.meta.deleting:
        out.append(f"the member {wanted.name} is just leaving: wait until rancherctl federation ls shows it no more")
    out += _leftovers(federation, wanted, seen)
    out += seen.missing
    if (found_version := _minor(seen.version)) is not None and found_version < OLDEST:
        out.append(
            f"{wanted.name} runs Kubernetes {seen.version}: members need {OLDEST[0]}.{OLDEST[1]} or newer, "
            "whose admission policies narrow what a federation may do"
        )
    if not wanted.servers:
        out.append("no address of the member's API is known")
    try:
        away = unreachable(wanted)
    except RancherctlError as error:
        if not out:
            raise
        return [*out, f"whether the federation's host reaches {wanted.name} could not be checked: {error}"]
    if len(away) == len(wanted.servers):
        out += [
            f"the federation's host cannot reach {server}: {why}; open the way, or set spec.api.address of "
            f"{wanted.name} to an address that it can reach"
            for server, why in away.items()
        ]
    return out


def _leftovers(federation: str, wanted: Wanted, seen: Seen) -> list[str]:
    """Namespaces of the member that are in the way."""
    out, own = [], tokens.member_namespace(federation)
    others = [n for n in seen.namespaces if n.startswith(FEDERATION_NAMESPACE_PREFIX) and n != own]
    for other in others:
        name = other.removeprefix(FEDERATION_NAMESPACE_PREFIX)
        out.append(f"{wanted.name} is a member of the federation {name}: it must leave that one first")
    if own in seen.namespaces and seen.namespaces[own]["metadata"].get("deletionTimestamp"):
        out.append(f"the namespace {own} there is still being removed: wait until it is gone")
    elif own in seen.namespaces:
        mark = (seen.namespaces[own]["metadata"].get("annotations") or {}).get(FEDERATION_UID_ANNOTATION, "")
        if mark != seen.federation_uid:
            out.append(
                f"the namespace {own} there belongs to an older federation with this name (uid {mark or 'unknown'}): "
                f"kubectl delete namespace {own}"
            )
    if federation in seen.namespaces:
        out.append(
            f"{wanted.name} has a namespace called {federation}: names of the federation would mean its Services"
        )
    return out


def unreachable(wanted: Wanted) -> dict[str, str]:
    """Server → why the federation's host cannot connect to it."""
    return {server: why for server in wanted.servers if (why := wanted.reachable(server))}


def warnings(federation: str, wanted: Wanted, seen: Seen) -> list[str]:
    """What does not prevent the join, but should be known, one line each."""
    out = []
    ours, theirs = _minor(seen.federation_version), _minor(seen.version)
    if ours is not None and theirs is not None and ours != theirs:
        out.append(
            f"{wanted.name} runs Kubernetes {seen.version}, the federation {federation} {seen.federation_version}: "
            "fields that only the newer one knows are reported on the Services that use them"
        )
    away = unreachable(wanted)
    if len(away) < len(wanted.servers):
        out += [
            f"the federation's host cannot reach {server} of {wanted.name}: {why}; it uses the others"
            for server, why in away.items()
        ]
    return out


def _minor(version: str) -> tuple[int, int] | None:
    """``v1.36.3`` → (1, 36); None if it is not a version."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else None

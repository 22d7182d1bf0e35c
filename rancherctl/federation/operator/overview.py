"""What the command line shows of a federation: members, and Services with their parts. Pure but for ``read``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.errors import NotFoundError
from rancherctl.federation import cluster
from rancherctl.federation.cluster import Cluster
from rancherctl.federation.conditions import (
    CONTROL_PLANE_HEALTHY,
    CREDENTIAL_VALID,
    DNS,
    HEALTHY,
    JOINED,
    PROPAGATED,
    READY,
    SERVING,
    SYNCED,
    TOPOLOGY_KNOWN,
    by_type,
)
from rancherctl.federation.objects import Federated, federated_service
from rancherctl.federation.wanted import travels
from rancherctl.kube.client import SERVICES, KubeClient
from rancherctl.text import did_you_mean

KINDS: Final = (PROPAGATED, HEALTHY, DNS)
BAD: Final = (JOINED, CONTROL_PLANE_HEALTHY, CREDENTIAL_VALID, SYNCED, SERVING)
"""Conditions whose False is a problem of a member, worst first."""


@dataclass(frozen=True, slots=True)
class FederationView:
    """Members and federated Services by name, as the federation's API has them."""

    members: Mapping[str, Cluster]
    services: Mapping[str, Federated]

    def member(self, name: str, federation: str) -> Cluster:
        """The member of that name; NotFoundError with a suggestion. ``federation``: its name, for the message."""
        if name not in self.members:
            hint = did_you_mean(name, self.members) or f"members: {', '.join(sorted(self.members)) or 'none'}"
            raise NotFoundError(f"{name!r} is not a member of {federation}", hint=hint)
        return self.members[name]

    def addresses(self, member: str) -> frozenset[str]:
        """The addresses that a member has for federated Services, as their statuses say."""
        parts = ((stored_status(s).get("members") or {}).get(member) or {} for s in self.services.values())
        return frozenset(str(a) for part in parts for a in part.get("addresses") or ())

    def service(self, name: str, namespace: str = "") -> Federated:
        """The Service ``NAME`` or ``NAMESPACE/NAME``; NotFoundError with a suggestion."""
        keys = [key for key in self.services if name in (key, key.partition("/")[2])]
        keys = [key for key in keys if not namespace or key.startswith(f"{namespace}/")]
        if len(keys) == 1:
            return self.services[keys[0]]
        if keys:
            raise NotFoundError(
                f"several Services are called {name!r}", hint=f"choose one of {', '.join(sorted(keys))}"
            )
        known = (*self.services, *(key.partition("/")[2] for key in self.services))
        hint = did_you_mean(name, known) or "rancherctl federation services lists them"
        raise NotFoundError(f"{name!r} is not a federated Service", hint=hint)


def read(client: KubeClient) -> FederationView:
    """Read members and Services; NotFoundError if the API is not that of a federation."""
    try:
        found = client.list(cluster.CLUSTERS).items
    except NotFoundError as error:
        raise NotFoundError(
            "this environment is not a federation",
            hint="choose one with --federation, or create it: rancherctl federation create",
        ) from error
    members = [cluster.cluster(obj) for obj in found]
    services = [federated_service(obj) for obj in client.list(SERVICES).items]
    return FederationView(
        {member.meta.name: member for member in sorted(members, key=lambda m: m.meta.name)},
        {s.id.key: s for s in sorted(services, key=lambda s: s.id.key) if travels(s) or s.options.stay},
    )


def member_rows(
    view: FederationView, federation: str = "", labelled: Mapping[str, Mapping[str, str]] | None = None
) -> list[dict[str, Any]]:
    """One row for each member, then those of ``labelled`` (name → labels) that are to join but have not."""
    rows = [_member_row(member) for member in view.members.values()]
    pending = {name: labels for name, labels in (labelled or {}).items() if name not in view.members}
    return rows + [_pending_row(federation, name, labels) for name, labels in pending.items()]


def _pending_row(federation: str, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """As of a member of which nothing is known yet."""
    row = _member_row(cluster.cluster({"metadata": {"name": name, "labels": dict(labels)}, "spec": {}}))
    why = f"not joined yet: rancherctl federation join {federation} --env {name}"
    return row | {"pending": True, "problems": [why]}


def _member_row(member: Cluster) -> dict[str, Any]:
    states = by_type(member.status.get("conditions"))
    copies = member.status.get("copies") or {}
    return {
        "name": member.meta.name,
        "ready": _answer(states, READY),
        "serving": _answer(states, SERVING),
        "region": member.status.get("region") or "",
        "zones": list(member.status.get("zones") or ()),
        "version": (member.status.get("version") or {}).get("kubernetes", ""),
        "copies": f"{copies.get('inSync', 0)}/{copies.get('wanted', 0)}",
        "servers": list(member.servers),
        "addresses": list(member.addresses),
        "labels": dict(member.meta.labels),
        "suspended": member.suspended,
        "leaving": member.meta.deleting,
        "pending": False,
        "problems": problems(member),
    }


def _answer(states: Mapping[str, Mapping[str, Any]], kind: str) -> bool | None:
    """True, False, or None for unknown."""
    return {"True": True, "False": False}.get(str((states.get(kind) or {}).get("status")))


def problems(member: Cluster) -> list[str]:
    """What is wrong with a member, one line each."""
    states = by_type(member.status.get("conditions"))
    if not states:
        return ["rancherctl-federation has not looked at it yet"]
    out = []
    for kind in BAD:
        state = states.get(kind) or {}
        if state.get("status") == "False" and state.get("reason") not in ("Drained", "Pending"):
            out.append(f"{state.get('reason')}: {state.get('message')}".removesuffix(": "))
    topology = states.get(TOPOLOGY_KNOWN) or {}
    if topology.get("status") == "False":
        out.append(f"TopologyUnknown: {topology.get('message')}")
    return out


def down(member: Cluster) -> bool:
    """Whether a member is not Ready, or serves nothing although it is not drained."""
    row = _member_row(member)
    return row["ready"] is False or (row["serving"] is False and not member.suspended)


def service_rows(view: FederationView, namespace: str = "") -> list[dict[str, Any]]:
    """One row for each federated Service."""
    chosen = (s for key, s in view.services.items() if not namespace or key.startswith(f"{namespace}/"))
    return [_service_row(service) for service in chosen]


def _service_row(service: Federated) -> dict[str, Any]:
    states = by_type(service.conditions)
    status = stored_status(service)
    members: Mapping[str, Mapping[str, Any]] = status.get("members") or {}
    return {
        "namespace": service.meta.namespace,
        "name": service.meta.name,
        "type": service.type,
        "addresses": list(service.published),
        "members": sum(part.get("state") == "InSync" for part in members.values()),
        "of": status.get("of", len(members)),
        "propagated": _answer(states, PROPAGATED),
        "healthy": _answer(states, HEALTHY),
        "dns": _answer(states, DNS),
        "reason": next((str(states[k].get("reason")) for k in KINDS if states.get(k, {}).get("status") == "False"), ""),
        "messages": {k.rpartition("/")[2]: str(states[k].get("message", "")) for k in KINDS if k in states},
        "shards": {name: dict(part) for name, part in members.items()},
        "withheld": (status.get("dns") or {}).get("withheld") or {},
    }


def stored_status(service: Federated) -> Mapping[str, Any]:
    """The status annotation; empty if there is none yet."""
    try:
        found = json.loads(service.status) if service.status else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def service_detail(service: Federated) -> dict[str, Any]:
    """One Service in full."""
    return _service_row(service)


def service_text(row: Mapping[str, Any]) -> str:
    """The Service for people: its conditions, then each member with its addresses, and why one is not published."""
    words = {True: "yes", False: "no", None: "unknown"}
    out = [
        f"service:     {row['namespace']}/{row['name']} ({row['type']})",
        f"addresses:   {', '.join(row['addresses']) or 'none'}",
    ]
    for key in ("propagated", "healthy", "dns"):
        message = row["messages"].get({"propagated": "Propagated", "healthy": "Healthy", "dns": "DNS"}[key], "")
        if row[key] is not None or message:
            out.append(f"{key + ':':<12} {words[row[key]]}{f' ({message})' if message else ''}")
    out.append("members:")
    out += [f"  {name}: {_shard_text(part)}" for name, part in sorted(row["shards"].items())] or ["  none"]
    if row["withheld"]:
        out.append("withheld:")
        out += [f"  {address}: {why}" for address, why in sorted(row["withheld"].items())]
    return "".join(f"{line}\n" for line in out)


def _shard_text(part: Mapping[str, Any]) -> str:
    """One member's part in a line: state, place, addresses, readiness, what is refused or down."""
    place = ", ".join(f"{key} {part[key]}" for key in ("region", "zone") if part.get(key))
    ready = {True: "endpoints ready", False: "no ready endpoint", None: "readiness unknown"}[
        bool(part["ready"]) if "ready" in part else None
    ]
    texts = [str(part.get("state", ""))]
    texts += [str(part["why"])] if part.get("why") else []
    texts += [place] if place else []
    texts.append(", ".join(part.get("addresses") or ()) or "no address")
    texts.append(ready)
    texts += ["drained"] if part.get("drained") else []
    texts += [f"{address} does not answer" for address in part.get("down") or ()]
    texts += [f"{address} refused: {why}" for address, why in (part.get("refused") or {}).items()]
    return "; ".join(texts)

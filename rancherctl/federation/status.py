"""The status of a federated Service: union of addresses, conditions, and an annotation about each member. Pure.

Everything is written through the status subresource by server-side apply: an annotation on the main resource would move
a Deployment's generation, and a merge patch would replace the conditions of others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rancherctl.federation.conditions import HEALTHY, PROPAGATED, Condition, differ, rendered
from rancherctl.federation.model import Shard
from rancherctl.federation.objects import Federated
from rancherctl.federation.options import STATUS
from rancherctl.federation.plan import CopyState, State
from rancherctl.net import address_key
from rancherctl.placement.model import ObjectProblem
from rancherctl.text import and_more, plural, shorten

MAX_STATUS: Final = 8000
"""Bytes of the annotation; members in order are left out first."""
MAX_MESSAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class MemberLine:
    """One member's part in the status of an object."""

    member: str
    state: CopyState
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class DnsPart:
    """What the public DNS says of a Service: its condition, number of published addresses, and those withheld."""

    condition: Condition | None = None
    published: int = 0
    withheld: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The status that a federated Service is to have. ``addresses`` only for type LoadBalancer."""

    addresses: tuple[str, ...]
    conditions: tuple[Condition, ...]
    annotation: str


def service_status(
    service: Federated, lines: Sequence[MemberLine], withdrawn: Iterable[str], dns: DnsPart
) -> ServiceStatus:
    """``lines``: the members that are to have the Service, or still have it. ``withdrawn``: addresses judged dead."""
    shards = [line.shard for line in lines if line.shard is not None]
    dead = frozenset(withdrawn)
    every = {a.address for shard in shards if not shard.drained for a in shard.addresses}
    addresses = tuple(sorted(every - dead if every - dead else every, key=address_key))
    conditions = [_propagated(service, lines), _healthy(service, shards, dead)]
    if dns.condition is not None:
        conditions.append(dns.condition)
    return ServiceStatus(
        addresses if service.type == "LoadBalancer" else (), tuple(conditions), annotation(lines, dns, dead)
    )


def _propagated(service: Federated, lines: Sequence[MemberLine]) -> Condition:
    if service.options.stay:
        return Condition(PROPAGATED, "False", "Stays", "the object stays in the federation, as its annotation says")
    problems = service.options.problems
    wrong = [line for line in lines if line.state.state in (State.CONFLICT, State.FAILED, State.HELD)]
    waiting = [line for line in lines if line.state.state in (State.PENDING, State.UNKNOWN)]
    done = len(lines) - len(wrong) - len(waiting)
    message = f"in sync in {done} of {plural(len(lines), 'member')}"
    said = [f"{line.member}: {line.state.why or line.state.state}" for line in (*wrong, *waiting)]
    message = "; ".join([message, *said, *problems])
    if service.options.selector is None:
        return Condition(PROPAGATED, "False", "InvalidSelector", shorten(message, MAX_MESSAGE))
    if not lines:
        why = "no member is selected"
        return Condition(PROPAGATED, "False", "NoMembers", shorten("; ".join([why, *problems]), MAX_MESSAGE))
    if wrong:
        return Condition(PROPAGATED, "False", wrong[0].state.reason or "Conflict", shorten(message, MAX_MESSAGE))
    if waiting:
        reason = "MemberUnknown" if all(w.state.state is State.UNKNOWN for w in waiting) else "Pending"
        return Condition(PROPAGATED, "False", reason, shorten(message, MAX_MESSAGE))
    return Condition(PROPAGATED, "True", "InSync", shorten(message, MAX_MESSAGE))


def _healthy(service: Federated, shards: Sequence[Shard], dead: frozenset[str]) -> Condition:
    serving = [shard for shard in shards if is_serving(shard, service.type, dead)]
    message = f"served by {len(serving)} of {plural(len(shards), 'member')}"
    reasons = [f"{s.member}: {why}" for s in shards if (why := not_serving(s, service.type, dead))]
    message = shorten("; ".join([message, *reasons]), MAX_MESSAGE)
    return Condition(HEALTHY, "True" if serving else "False", "Served" if serving else "NoHealthyShards", message)


def problems(service: Federated, lines: Sequence[MemberLine], withdrawn: Iterable[str]) -> tuple[ObjectProblem, ...]:
    """What becomes an Event of the Service: conflicts, failures, what is held, dead addresses, wrong annotations."""
    dead = frozenset(withdrawn)
    out = [
        ObjectProblem(line.state.reason or str(line.state.state), f"{line.member}: {line.state.why}")
        for line in lines
        if line.state.state in (State.CONFLICT, State.FAILED, State.HELD)
    ]
    for line in lines:
        addresses = [a.address for a in line.shard.addresses if a.address in dead] if line.shard else []
        out += [ObjectProblem("AddressWithdrawn", f"{line.member}: {address} does not answer") for address in addresses]
        refused = line.shard.refused if line.shard else {}
        out += [ObjectProblem("AddressRefused", f"{line.member}: {a} is {why}") for a, why in sorted(refused.items())]
    out += [ObjectProblem("InvalidAnnotation", text) for text in service.options.problems]
    return tuple(out)


def is_serving(shard: Shard, kind: str, dead: frozenset[str]) -> bool:
    """Whether a member serves its part of a Service."""
    return not not_serving(shard, kind, dead)


def not_serving(shard: Shard, kind: str, dead: frozenset[str]) -> str:
    """Why a member does not serve its part of a Service; "" if it does."""
    if shard.drained:
        return "drained"
    if not shard.in_sync:
        return "its copy is not in sync"
    if shard.ready is False:
        return "no ready endpoint"
    if kind == "LoadBalancer":
        if not shard.addresses:
            refused = [f"{address}: {why}" for address, why in shard.refused.items()]
            return f"no address it may publish ({and_more(refused)})" if refused else "no address yet"
        if all(a.address in dead for a in shard.addresses):
            return "its addresses do not answer"
    return ""


def annotation(lines: Sequence[MemberLine], dns: DnsPart, dead: frozenset[str]) -> str:
    """Compact JSON of at most MAX_STATUS bytes: members with problems first to stay."""
    members = {line.member: _member(line, dead) for line in lines}
    out: dict[str, Any] = {"of": len(lines)}
    if dns.condition is not None:
        out["dns"] = {"published": dns.published} | (
            {"withheld": dict(sorted(dns.withheld.items()))} if dns.withheld else {}
        )
    fine = sorted(line.member for line in lines if line.state.state is State.IN_SYNC)
    while True:
        text = json.dumps({**out, "members": members}, sort_keys=True, separators=(",", ":"))
        if len(text.encode()) <= MAX_STATUS or not members:
            return text
        members.pop(fine.pop() if fine else max(members), None)


def _member(line: MemberLine, dead: frozenset[str]) -> dict[str, Any]:
    out: dict[str, Any] = {"state": str(line.state.state)}
    if line.state.why:
        out["why"] = shorten(line.state.why, 200)
    if (shard := line.shard) is not None:
        out["addresses"] = [a.address for a in shard.addresses]
        if down := [a.address for a in shard.addresses if a.address in dead]:
            out["down"] = down
        if shard.ready is not None:
            out["ready"] = shard.ready
        ports = sorted({port for a in shard.addresses for port in a.ports})
        out |= {
            key: value
            for key, value in (("ports", ports), ("region", shard.place.region), ("zone", shard.place.zone))
            if value
        }
        if shard.drained:
            out["drained"] = True
        if shard.refused:
            out["refused"] = dict(sorted(shard.refused.items()))
    return out


def last_known(status: str) -> Mapping[str, Mapping[str, Any]]:
    """Member → its part in a status annotation; empty if there is none that can be read."""
    try:
        members = json.loads(status)["members"] if status else {}
    except (ValueError, KeyError, TypeError):
        return {}
    return {m: part for m, part in members.items() if isinstance(part, dict)} if isinstance(members, dict) else {}


def differs(service: Federated, wanted: ServiceStatus) -> bool:
    """Whether the stored status is another one."""
    return (
        service.published != wanted.addresses
        or service.status != wanted.annotation
        or differ(wanted.conditions, service.conditions)
    )


def status_body(service: Federated, wanted: ServiceStatus, now: str) -> dict[str, Any]:
    """The body of a server-side apply of the status subresource; ``now`` is RFC 3339."""
    status: dict[str, Any] = {"conditions": rendered(wanted.conditions, service.conditions, now)}
    if wanted.addresses:
        status["loadBalancer"] = {"ingress": [{"ip": a, "ipMode": "Proxy"} for a in wanted.addresses]}
    return {
        "metadata": {
            "name": service.meta.name,
            "namespace": service.meta.namespace,
            "uid": service.meta.uid,
            "annotations": {STATUS: wanted.annotation},
        },
        "status": status,
    }


def unknown_line(member: str, shard: Shard | None) -> MemberLine:
    """The line of a member that cannot be seen now."""
    return MemberLine(member, CopyState(State.UNKNOWN, "Unreachable", f"the API of {member} cannot be reached"), shard)

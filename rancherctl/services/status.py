"""Decide the status of each Service from placement, the roster and reports. Pure.

An address is published as soon as a chosen host serves it by rules of its own (``handover``). It works on every node
once kube-proxy there has seen the status. The host itself must confirm within VERIFY_SECONDS that its kube-proxy has
programmed the address; if it does not, the address is withdrawn, and another host takes the Service.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rancherctl.change import Plan, diff
from rancherctl.kube.objects import Service
from rancherctl.net import is_ip
from rancherctl.placement.model import ObjectProblem, Roster
from rancherctl.services.handover import Handover, hand_over
from rancherctl.services.model import CONDITION, FOREIGN, HostPorts, LoadBalancer, foreign
from rancherctl.services.placement import Decision, place_services
from rancherctl.services.verifier import REFUSED, Memory, Verifier
from rancherctl.text import and_more, shorten

MAX_MESSAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Condition:
    """Our condition: status True or False, a CamelCase reason, one line for people."""

    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """Sorted addresses, and our condition (None = none)."""

    addresses: tuple[str, ...] = ()
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Statuses:
    """Desired statuses by ``namespace/name``, of Services that are or were ours; problems, decisions and memory.

    ``held`` are hosts that keep their addresses although they look broken: too many do so at once. ``moving`` are
    (Service, host) that the host is to serve by rules of its own.
    """

    desired: Mapping[str, ServiceStatus]
    problems: Mapping[str, tuple[ObjectProblem, ...]]
    decisions: Mapping[str, Decision]
    memory: Memory
    held: frozenset[str] = frozenset()
    moving: frozenset[tuple[str, str]] = frozenset()


def stored_condition(service: Service) -> Condition | None:
    """Our condition in a Service's status."""
    found = next((c for c in service.conditions if c.get("type") == CONDITION), None)
    return Condition(*(str(found.get(key) or "") for key in ("status", "reason", "message"))) if found else None


def plan_statuses(
    services: Mapping[str, Service],
    wanted: Mapping[str, LoadBalancer],
    roster: Roster,
    reports: Mapping[str, HostPorts],
    memory: Memory,
    now: float,
) -> Statuses:
    """Desired statuses. ``wanted`` are the Services that are ours; ``now`` is a monotonic clock in seconds.

    An empty roster gives no statuses at all: it is not known who could serve.
    """
    if not roster.hosts:
        return Statuses({}, {}, {}, memory)
    wanted, replaced = _without_foreign(wanted, memory.replaced)
    verifier = Verifier({h.name: h for h in roster.hosts}, reports, memory, now)
    refused = verifier.refused(wanted.values())
    held = verifier.held(refused)
    failures = {pair: count for pair, count in verifier.failures.items() if pair[1] not in held}
    failures |= {pair: count for pair, count in memory.failures.items() if pair[1] in held}
    refused = {pair: until for pair, until in refused.items() if pair[1] not in held}
    decisions = place_services(wanted.values(), roster, reports, dict.fromkeys(refused, REFUSED), held)
    ours = {h.address for h in roster.hosts}
    desired: dict[str, ServiceStatus] = {}
    problems: dict[str, tuple[ObjectProblem, ...]] = {}
    moving: set[tuple[str, str]] = set()
    for key, service in services.items():
        each = wanted.get(key)
        if each is not None and each.obstacle and each.obstacle.reason == FOREIGN:
            problems[key] = decisions[key].problems
            desired[key] = ServiceStatus(_foreign(service.lb_addresses, ours))
        elif each is not None:
            decision = decisions[key]
            to = hand_over(each, decision, verifier)
            moving |= {(key, host) for host in to.moving}
            problems[key] = tuple(sorted(_problems(decision, each, to, verifier), key=lambda p: not p.serious))
            condition = _condition(each, decision, to.addresses, problems[key], verifier)
            desired[key] = ServiceStatus(to.addresses, stored_condition(service) if to.quiet else condition)
        elif stored_condition(service) is not None:
            desired[key] = ServiceStatus(_foreign(service.lb_addresses, ours))
    memory = Memory(verifier.since, refused, replaced, failures)
    return Statuses(desired, problems, decisions, memory, held, frozenset(moving))


def _without_foreign(
    wanted: Mapping[str, LoadBalancer], before: Mapping[str, tuple[frozenset[str], bool]]
) -> tuple[dict[str, LoadBalancer], dict[str, tuple[frozenset[str], bool]]]:
    """The Services, and ``Memory.replaced``.

    Addresses of no host are replaced once: they may be those of a host that left. If one of them comes back, another
    controller writes it, and the Service is left alone.
    """
    out: dict[str, LoadBalancer] = {}
    replaced: dict[str, tuple[frozenset[str], bool]] = {}
    for key, service in wanted.items():
        known, away = before.get(key, (frozenset[str](), False))
        out[key] = service
        if service.unknown and away and known.intersection(service.unknown):
            out[key] = replace(service, obstacle=foreign(service.unknown))
            replaced[key] = known, away
        elif service.unknown:
            replaced[key] = frozenset(service.unknown), False
        elif known:
            replaced[key] = known, True
    return out, replaced


def _foreign(addresses: Iterable[str], ours: Collection[str]) -> tuple[str, ...]:
    return tuple(a for a in addresses if a and a not in ours)


def _problems(decision: Decision, s: LoadBalancer, to: Handover, verifier: Verifier) -> list[ObjectProblem]:
    late = [
        name
        for name in decision.hosts
        if verifier.hosts[name].address in s.published and not verifier.confirmed(s, name)
    ]
    texts = [f"waiting for kube-proxy of {and_more(late)}"] if late else []
    texts += [f"waiting for rules of {and_more(list(to.pending))}"] if to.pending else []
    return [*decision.problems, *(ObjectProblem("Waiting", text, serious=False) for text in texts)]


def _condition(
    s: LoadBalancer,
    decision: Decision,
    addresses: tuple[str, ...],
    problems: tuple[ObjectProblem, ...],
    verifier: Verifier,
) -> Condition:
    text = shorten("; ".join(p.message for p in problems), MAX_MESSAGE)
    if not addresses or any(p.serious for p in problems):
        return Condition("False", problems[0].reason if problems else "Waiting", text)
    # What takes less than a moment is not worth a write: the condition says Waiting only when it lasts.
    lasting = any(
        verifier.since.get((what, s.name, name)) not in (None, verifier.now)
        for what in ("programmed", "preparing")
        for name in decision.hosts
    )
    notes = problems if lasting else tuple(p for p in problems if p.reason != "Waiting")
    reason = notes[0].reason if notes else "Published"
    return Condition("True", reason, shorten("; ".join(p.message for p in notes), MAX_MESSAGE))


def plan_writes(services: Mapping[str, Service], statuses: Statuses) -> Plan[ServiceStatus]:
    """The Services whose addresses or condition differ: a second plan after an apply is empty."""
    known = {key: new for key, new in statuses.desired.items() if key in services}
    return diff({key: _stored(services[key], known[key]) for key in known}, known)


def _stored(service: Service, new: ServiceStatus) -> ServiceStatus:
    """What is stored; unequal to any status if an entry says more than an address: kube-proxy would act on it."""
    if not service.lb_plain and new.condition:
        return ServiceStatus(("", *service.lb_addresses), stored_condition(service))
    return ServiceStatus(service.lb_addresses, stored_condition(service))


def status_patch(service: Service, status: ServiceStatus, timestamp: str) -> dict[str, Any]:
    """The merge patch for the status subresource; ``timestamp`` is RFC 3339. Conditions of others stay."""
    others = [dict(c) for c in service.conditions if c.get("type") != CONDITION]
    conditions: list[dict[str, Any]] = others
    if status.condition is not None:
        old = stored_condition(service)
        since = next((c.get("lastTransitionTime") for c in service.conditions if c.get("type") == CONDITION), None)
        same = old is not None and old.status == status.condition.status and since
        conditions = [
            *others,
            {
                "type": CONDITION,
                "status": status.condition.status,
                "reason": status.condition.reason,
                "message": status.condition.message,
                "lastTransitionTime": since if same else timestamp,
            },
        ]
    return {
        "metadata": {"resourceVersion": service.meta.resource_version},
        "status": {
            "loadBalancer": {"ingress": [_entry(a) for a in status.addresses]},
            "conditions": conditions,
        },
    }


def _entry(address: str) -> dict[str, str]:
    return {"ip": address, "ipMode": "VIP"} if is_ip(address) else {"hostname": address}

"""Services for people: lists, one in full, placement with reasons. Pure values, ready for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rancherctl.errors import UsageError
from rancherctl.ingress.annotations.table import GLOBAL
from rancherctl.ingress.operator.overview import check_hosts
from rancherctl.kube.objects import Service
from rancherctl.placement.model import Roster
from rancherctl.placement.place import rank
from rancherctl.services.model import LoadBalancer, port_text, programmed_digest
from rancherctl.services.operator.api_view import ServicesView, checked_scale, unmanaged
from rancherctl.services.placement import NOTHING, Decision, place_services
from rancherctl.services.status import stored_condition
from rancherctl.text import plural

Item = dict[str, Any]
HELD = "looks broken, as many hosts do at once, so its address stays"


def rows(view: ServicesView, namespace: str = "") -> list[Item]:
    """One row for each Service of type LoadBalancer (in ``namespace``), sorted by key."""
    return [
        _row(view, service)
        for key, service in sorted(view.services.items())
        if not namespace or service.meta.namespace == namespace
    ]


def _row(view: ServicesView, service: Service) -> Item:
    wanted = view.wanted.get(service.meta.key)
    condition = stored_condition(service)
    return {
        "namespace": service.meta.namespace,
        "name": service.meta.name,
        "managed": wanted is not None,
        "unmanaged": "" if wanted else unmanaged(service)[0],
        "class": service.lb_class,
        "ports": [port_text((p.protocol.lower(), p.port)) for p in service.ports],
        "addresses": list(service.lb_addresses),
        "wanted": (wanted.options.wanted or "all") if wanted else None,
        "published": len(service.lb_addresses),
        "policy": "Local" if service.local else "Cluster",
        "reason": condition.reason if condition else "",
        "message": condition.message if condition else "",
    }


def decisions(view: ServicesView) -> dict[str, Decision]:
    """What the controller decides with the same objects, and with what it has measured."""
    return _place(view, view.wanted.values(), view.roster)


def _place(view: ServicesView, services: Iterable[LoadBalancer], roster: Roster) -> dict[str, Decision]:
    return place_services(services, roster, view.reports, view.left_out.refused, view.left_out.held)


def detail(view: ServicesView, service: Service) -> Item:
    """One Service in full: the state of each host, problems."""
    item, wanted = _row(view, service), view.wanted.get(service.meta.key)
    decision = decisions(view).get(service.meta.key, Decision())
    return item | {
        "sourceRanges": list(service.source_ranges),
        "affinity": service.affinity,
        "hosts": [_host(view, wanted, decision, host.name) for host in view.roster.hosts] if wanted else [],
        "problems": [{"reason": p.reason, "message": p.message, "serious": p.serious} for p in decision.problems],
    }


def _host(view: ServicesView, wanted: LoadBalancer, decision: Decision, name: str) -> Item:
    host = view.roster.host(name)
    address = host.address if host else ""
    report = view.reports.get(name, NOTHING)
    return {
        "host": name,
        "address": address,
        "placed": name in decision.hosts,
        "published": address in wanted.published,
        "programmed": report.programmed.get(wanted.name) == programmed_digest(address, wanted.ports),
        "why": decision.reasons.get(name, ""),
        "note": HELD if name in view.left_out.held and address in wanted.published else "",
    }


def text(item: Mapping[str, Any]) -> str:
    """``detail`` for people."""
    name = f"{item['namespace']}/{item['name']}"
    ports = ", ".join(item["ports"])
    if not item["managed"]:
        written = ", ".join(item["addresses"]) or "none"
        return f"{name}: {ports}, addresses: {written}\n  rancherctl gives it no addresses: {item['unmanaged']}\n"
    lines = [f"{name}: {ports}, {_count(item)}"]
    lines.append(
        f"externalTrafficPolicy: {item['policy']}" + (" (client addresses are kept)" * (item["policy"] == "Local"))
    )
    if item["sourceRanges"]:
        lines.append(f"clients: {', '.join(item['sourceRanges'])}")
    if item["affinity"]:
        lines.append(f"sessionAffinity: {item['affinity']} (for each address)")
    lines += ["hosts:"] + [f"  {h['host']} {h['address'] or '-'}: {_state(h)}" for h in item["hosts"]]
    if item["problems"]:
        lines += ["problems:"] + [f"  {p['reason']}: {p['message']}" for p in item["problems"]]
    return "".join(f"{line}\n" for line in lines)


def _count(item: Mapping[str, Any]) -> str:
    if item["wanted"] == "all":
        return f"{plural(len(item['addresses']), 'address', 'addresses')} published, those of all eligible hosts wanted"
    return f"{len(item['addresses'])} of {item['wanted']} addresses published"


def _state(host: Mapping[str, Any]) -> str:
    if not (host["placed"] or host["published"]):
        return host["why"] or "not among the best eligible hosts"
    parts = [
        "placed" if host["placed"] else "not placed",
        "published" if host["published"] else "not published",
        "programmed by kube-proxy" if host["programmed"] else "not programmed by kube-proxy",
        host["why"],
        host["note"],
    ]
    return ", ".join(part for part in parts if part)


def plan_rows(
    view: ServicesView, target: LoadBalancer, *, scale: int | None = None, without: Sequence[str] = ()
) -> list[Item]:
    """All hosts in the order in which this Service takes them, each with the reason for or against it.

    ``scale`` and ``without`` show the placement with another number of addresses, or after the loss of some hosts.
    """
    check_hosts(view.roster, without)
    before = set(decisions(view)[target.name].hosts)
    if scale is not None:
        target = _scaled(target, scale)
    hosts = tuple(replace(h, alive=h.alive and h.name not in without) for h in view.roster.hosts)
    decision = _place_as(view, target, Roster(view.roster.epoch, view.roster.sequence, hosts))
    ordered = sorted(hosts, key=lambda h: (h.address not in target.published, rank(target.key, h)))
    return [
        {
            "rank": rank,
            "host": host.name,
            "address": host.address,
            "chosen": host.name in decision.hosts,
            "change": _change(host.name in decision.hosts, host.name in before),
            "why": "left out by --without" if host.name in without else _reason(host.name, decision),
        }
        for rank, host in enumerate(ordered, 1)
    ]


def scale_notes(view: ServicesView, target: LoadBalancer, number: int) -> list[str]:
    """What an operator who sets this scale should know: too few hosts, or why the Service has no address at all.

    UsageError if the number cannot be set, or has no effect.
    """
    return [problem.message for problem in _place_as(view, _scaled(target, number), view.roster).problems]


def scaled(target: LoadBalancer, number: int, notes: Sequence[str], *, changed: bool) -> Item:
    """What ``service scale`` has done; ``notes`` are those of ``scale_notes``."""
    namespace, _, name = target.name.partition("/")
    return {"namespace": namespace, "name": name, "wanted": number, "changed": changed, "notes": list(notes)}


def _scaled(target: LoadBalancer, number: int) -> LoadBalancer:
    """``target`` with another scale."""
    checked_scale(number)
    if not target.options.wanted:
        namespace, _, name = target.name.partition("/")
        raise UsageError(
            f"the scale of {target.name} has no effect",
            why=f"its annotation {GLOBAL} is true: it has the addresses of all eligible hosts",
            hint=f"kubectl annotate service {name} -n {namespace} {GLOBAL}- makes the scale count",
        )
    return replace(target, options=replace(target.options, wanted=number))


def _place_as(view: ServicesView, target: LoadBalancer, roster: Roster) -> Decision:
    """The decision about ``target``, which takes the place of the Service of its name, among all others."""
    services = [target if s.name == target.name else s for s in view.wanted.values()]
    return _place(view, services, roster)[target.name]


def _change(after: bool, before: bool) -> str:
    return "" if after == before else "add" if after else "remove"


def _reason(host: str, decision: Decision) -> str:
    if why := decision.reasons.get(host, ""):
        return why
    if not decision.wanted:
        return "placed on every eligible host"
    best = "the best eligible host" if decision.wanted == 1 else f"among the {decision.wanted} best eligible hosts"
    return best if host in decision.hosts else f"not {best}"

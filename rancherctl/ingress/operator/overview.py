"""Ingresses for people: lists, one in full, placement with reasons. Pure values, ready for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from rancherctl.errors import UsageError
from rancherctl.ingress.annotations.status_annotation import read_status
from rancherctl.ingress.model import HASH_SCHEME, Route, Translated
from rancherctl.ingress.operator import http_check
from rancherctl.ingress.operator.api_view import ApiView
from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT
from rancherctl.ingress.role import desired
from rancherctl.ingress.status.report import HostReport
from rancherctl.ingress.translate import classes
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.objects import Ingress
from rancherctl.placement.model import ObjectProblem, Roster
from rancherctl.placement.place import Candidate, explain, place
from rancherctl.text import did_you_mean

Item = dict[str, Any]


@lru_cache(maxsize=1)
def cluster_of(view: ApiView) -> desired.Desired:
    """What agents and leader derive from the same objects, for the cluster as a whole."""
    tables = desired.Tables(view.ingresses, view.classes)
    return desired.build(tables, view.roster, desired.Previous(), TranslationCache(), None, 0.0)


def rows(view: ApiView, namespace: str = "") -> list[Item]:
    """One row for each Ingress that rancherctl manages (in ``namespace``), sorted by key."""
    return [_row(view, view.ingresses[t.key], t) for t in select(view, namespace=namespace)]


def _row(view: ApiView, ingress: Ingress, t: Translated) -> Item:
    placed = place(t.for_placement, view.roster)
    status = read_status(ingress.meta.annotations)
    return {
        "namespace": ingress.meta.namespace,
        "name": ingress.meta.name,
        "hosts": _shown_hosts(t),
        "addresses": list(ingress.status),
        "wanted": t.options.wanted or "all",
        "published": len(ingress.status),
        "placed": list(placed.hosts),
        "reason": str(status.get("reason", "")),
        "message": str(status.get("message", "")),
    }


def _shown_hosts(t: Translated) -> list[str]:
    """The hosts, once for each port that is not a default one."""
    ports = [port for port in (t.ports.http, t.ports.https) if port]
    shown = dict.fromkeys("" if port in {HTTP_PORT, HTTPS_PORT} else f":{port}" for port in ports) or {"": None}
    return sorted({f"{host}{port}" for host in t.hosts for port in shown})


def detail(view: ApiView, ingress: Ingress) -> Item:
    """One Ingress in full: rules, the state of each host involved, problems."""
    t = translate(ingress)
    item = _row(view, ingress, t)
    managed = classes.is_rancher(ingress, view.classes)
    problems = _problems(view, t, cluster_of(view))
    involved = sorted({*item["placed"], *_other_hosts(view, ingress, t)})
    return item | {
        "ours": managed,
        "hash": t.hash,
        "rules": [
            {"host": r.host, "match": r.kind, "path": written_path(r), "backend": r.backend.key} for r in t.routes
        ],
        "instances": [_instance(view, t, ingress, name, item["placed"]) for name in involved] if managed else [],
        "problems": [{"reason": p.reason, "message": p.message, "serious": p.serious} for p in problems]
        if managed
        else [],
    }


def _problems(view: ApiView, t: Translated, cluster: desired.Desired) -> list[ObjectProblem]:
    """All problems of one Ingress, each once."""
    placed = place(t.for_placement, view.roster)
    found = [*t.problems, *placed.problems, *cluster.problems.get(t.key, ())]
    for host in placed.hosts:
        found += view.reports.get(host, HostReport()).problems.get(t.key, ())
    return list(dict.fromkeys(found))


def written_path(route: Route) -> str:
    """The path as in the Ingress; the model ends prefixes with a slash."""
    return (route.path.rstrip("/") or "/") if route.kind == "prefix" else route.path


def _other_hosts(view: ApiView, ingress: Ingress, t: Translated) -> list[str]:
    """Hosts that serve it or are published for it: also those that leave, or load it for a shared name."""
    serving = {host for host, report in view.reports.items() if t.key in report.served}
    return sorted(serving | {h.name for h in view.roster.hosts if h.address in ingress.status})


def _instance(view: ApiView, t: Translated, ingress: Ingress, name: str, placed: list[str]) -> Item:
    host = view.roster.host(name)
    report = view.reports.get(name, HostReport())
    confirmed = report.served.get(t.key, "")
    comparable = not confirmed or report.hash_scheme == HASH_SCHEME
    return {
        "host": name,
        "address": host.address if host else "",
        "alive": bool(host and host.alive),
        "placed": name in placed,
        "published": bool(host and host.address in ingress.status),
        "serves": confirmed,
        "current": confirmed == t.hash if comparable else None,
        "alarm": report.trouble,
        "note": report.note,
    }


def text(item: Mapping[str, Any]) -> str:
    """``detail`` for people."""
    count = f"{len(item['addresses'])} of {item['wanted']} addresses published"
    lines = [f"{item['namespace']}/{item['name']}: {count}, content hash {item['hash']}"]
    if not item["ours"]:
        lines.append("  managed by another ingress controller: rancherctl neither serves it nor writes its status")
    lines += ["rules:"] + [
        f"  {r['host']}{r['path'] or ' (default)'} ({r['match']}) → {r['backend']}" for r in item["rules"]
    ]
    lines += ["hosts:"] + [f"  {i['host']} {i['address'] or '-'}: {_state(i)}" for i in item["instances"]]
    if item["problems"]:
        lines += ["problems:"] + [f"  {p['reason']}: {p['message']}" for p in item["problems"]]
    return "".join(f"{line}\n" for line in lines)


def _state(instance: Mapping[str, Any]) -> str:
    if instance["current"]:
        serving = "serving"
    elif not instance["serves"]:
        serving = "not serving yet"
    elif instance["current"] is None:
        serving = "serving (its agent runs another release, so the content cannot be compared)"
    else:
        serving = f"serving older content {instance['serves']}"
    parts = [
        "placed" if instance["placed"] else "not placed",
        serving,
        "published" if instance["published"] else "not published",
        "" if instance["alive"] else "not alive",
        instance["alarm"],
        instance["note"],
    ]
    return ", ".join(part for part in parts if part)


def check_hosts(roster: Roster, names: Iterable[str]) -> None:
    """UsageError if one of these hosts is not in the roster."""
    known = [h.name for h in roster.hosts]
    if unknown := sorted({*names} - {*known}):
        raise UsageError(
            f"unknown host: {', '.join(unknown)}",
            why=f"the load-balancer hosts are {', '.join(known) or 'none'}",
            hint=did_you_mean(unknown[0], known) or "rancherctl env status lists the hosts",
        )


def plan_rows(
    view: ApiView, ingress: Ingress, *, scale: int | None = None, without: tuple[str, ...] = ()
) -> list[Item]:
    """All hosts in the order in which this Ingress takes them, each with the reason for or against it.

    ``scale`` and ``without`` show the placement with another number of instances, or after the loss of some hosts.
    """
    check_hosts(view.roster, without)
    p = translate(ingress).for_placement
    before = set(place(p, view.roster).hosts)
    if scale is not None:
        p = replace(p, options=replace(p.options, wanted=scale))
    hosts = tuple(replace(h, alive=h.alive and h.name not in without) for h in view.roster.hosts)
    candidates = explain(p, Roster(view.roster.epoch, view.roster.sequence, hosts))
    addresses = {h.name: h.address for h in hosts}
    return [
        {
            "rank": rank,
            "host": c.host,
            "address": addresses[c.host],
            "chosen": c.chosen,
            "change": "" if c.chosen == (c.host in before) else "add" if c.chosen else "remove",
            "why": "left out by --without" if c.host in without else _reason(c, p.options.wanted),
        }
        for rank, c in enumerate(candidates, 1)
    ]


def _reason(candidate: Candidate, wanted: int) -> str:
    if candidate.excluded:
        return candidate.excluded
    if not wanted:
        return "placed on every eligible host"
    best = "the best eligible host" if wanted == 1 else f"among the {wanted} best eligible hosts"
    return best if candidate.chosen else f"not {best}"


def select(view: ApiView, name: str = "", namespace: str = "") -> list[Translated]:
    """The Ingress with this name, or all managed Ingresses (in ``namespace``) by key.

    UsageError if the named one is not managed by rancherctl.
    """
    managed = cluster_of(view).translated
    if name:
        keys = [view.require_managed(view.find(name, namespace)).meta.key]
    else:
        keys = sorted(k for k in managed if not namespace or k.startswith(f"{namespace}/"))
    return [managed[key] for key in keys if key in managed]


def unpublished(view: ApiView, ingresses: Iterable[Translated]) -> list[http_check.HttpResult]:
    """A failed result for each Ingress without an address, or with fewer addresses than hosts for it."""
    out = []
    for t in ingresses:
        stored, target = view.ingresses[t.key], place(t.for_placement, view.roster).target
        if len(stored.status) < max(1, target):
            message = read_status(stored.meta.annotations).get("message") or "the controller has not reported why"
            text = f"{len(stored.status)} of {target or t.options.wanted or 'all'} addresses published: {message}"
            out.append(_failed(t, text))
    return out


def _failed(t: Translated, text: str) -> http_check.HttpResult:
    """A result about an Ingress as a whole."""
    return http_check.HttpResult(http_check.HttpCheck(t.key, "", "", ""), False, 0, text)


def unserved(view: ApiView, ingresses: Iterable[Translated]) -> list[http_check.HttpResult]:
    """A failed result for each serious problem: part of what the Ingress requests is not served."""
    cluster = cluster_of(view)
    return [
        _failed(t, f"{p.reason}: {p.message}")
        for t in ingresses
        for p in _problems(view, t, cluster)
        if p.serious and p.reason != "NoHosts"  # ``unpublished`` says that
    ]


def notes(view: ApiView) -> list[str]:
    """What hosts noticed that may concern clients, a line for each host."""
    return [f"{host}: {report.note}" for host, report in sorted(view.reports.items()) if report.note]

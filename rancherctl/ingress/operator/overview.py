"""Ingresses as an operator reads them: rows for lists, one in full, placement and why. Pure; values are plain and ready for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from rancherctl.errors import UsageError
from rancherctl.ingress import placement
from rancherctl.ingress.annotations.parse import published_status
from rancherctl.ingress.model import Roster, Route, Translated
from rancherctl.ingress.operator import http_check
from rancherctl.ingress.operator.api_view import World
from rancherctl.ingress.status.plan import HostReport
from rancherctl.ingress.translate import classes, merge
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.objects import Ingress

Item = dict[str, Any]


def rows(world: World, namespace: str = "") -> list[Item]:
    """One row for each Ingress of our class, sorted by key."""
    ours = TranslationCache().translate_all(world.ingresses, world.classes)
    chosen = sorted(k for k in ours if not namespace or k.startswith(f"{namespace}/"))
    return [_row(world, world.ingresses[key], ours[key]) for key in chosen]


def _row(world: World, ingress: Ingress, t: Translated) -> Item:
    placed = placement.place(t, world.roster)
    note = published_status(ingress.meta.annotations)
    return {
        "namespace": ingress.meta.namespace,
        "name": ingress.meta.name,
        "hosts": sorted(t.hosts),
        "addresses": list(ingress.status),
        "wanted": t.wanted or "all",
        "published": len(ingress.status),
        "placed": list(placed.hosts),
        "reason": str(note.get("reason", "")),
        "message": str(note.get("message", "")),
    }


def detail(world: World, ingress: Ingress) -> Item:
    """All about one: rules, each host's part in it, problems."""
    every = TranslationCache().translate_all(world.ingresses, world.classes)
    t = translate(ingress)
    mine = classes.is_rancher(ingress, world.classes)
    placed = placement.place(t, world.roster)
    problems = [*t.problems, *placed.problems, *merge.merge(every).problems.get(t.key, ())]
    for host in placed.hosts:
        problems += world.reports.get(host, HostReport()).problems.get(t.key, ())
    instances = (
        [_instance(world, t, ingress, name) for name in sorted({*placed.hosts, *_others(world, ingress, t)})]
        if mine
        else []
    )
    return _row(world, ingress, t) | {
        "ours": mine,
        "hash": t.hash,
        "rules": [{"host": r.host, "match": r.kind, "path": _path(r), "backend": r.backend.key} for r in t.routes],
        "instances": instances,
        "problems": [{"reason": p.reason, "message": p.message, "serious": p.serious} for p in dict.fromkeys(problems)]
        if mine
        else [],
    }


def _path(route: Route) -> str:
    """As it was written: prefixes carry a slash at their end inside."""
    return (route.path.rstrip("/") or "/") if route.kind == "prefix" else route.path


def _others(world: World, ingress: Ingress, t: Translated) -> list[str]:
    """Hosts that serve it or are published without being placed: those that leave, and those that share a name."""
    serving = {host for host, report in world.reports.items() if t.key in report.served}
    return sorted(serving | {h.name for h in world.roster.hosts if h.address in ingress.status})


def _instance(world: World, t: Translated, ingress: Ingress, name: str) -> Item:
    host = world.roster.host(name)
    have = world.reports.get(name, HostReport()).served.get(t.key, "")
    return {
        "host": name,
        "address": host.address if host else "",
        "alive": bool(host and host.alive),
        "placed": name in placement.place(t, world.roster).hosts,
        "published": bool(host and host.address in ingress.status),
        "serves": have,
        "current": have == t.hash,
        "alarm": world.alarms.get(name, ""),
    }


def text(item: Mapping[str, Any]) -> str:
    """``detail`` for people."""
    lines = [
        f"{item['namespace']}/{item['name']}: {len(item['addresses'])} of {item['wanted']} published, content {item['hash']}"
    ]
    if not item["ours"]:
        lines.append("  its class is not ours: it gets no traffic and no status from here")
    lines += ["rules:"] + [
        f"  {r['host']}{r['path'] or ' (default)'} ({r['match']}) → {r['backend']}" for r in item["rules"]
    ]
    lines += ["hosts:"] + [f"  {i['host']} {i['address'] or '-'}: {_words(i)}" for i in item["instances"]]
    if item["problems"]:
        lines += ["problems:"] + [f"  {p['reason']}: {p['message']}" for p in item["problems"]]
    return "".join(f"{line}\n" for line in lines)


def _words(instance: Mapping[str, Any]) -> str:
    serving = (
        "serves it"
        if instance["current"]
        else f"serves an older content {instance['serves']}"
        if instance["serves"]
        else "does not serve it yet"
    )
    parts = [
        "placed" if instance["placed"] else "not placed",
        serving,
        "published" if instance["published"] else "not published",
        *(() if instance["alive"] else ("not alive",)),
        *((instance["alarm"],) if instance["alarm"] else ()),
    ]
    return ", ".join(parts)


def plan_rows(world: World, ingress: Ingress, *, scale: int | None = None, without: tuple[str, ...] = ()) -> list[Item]:
    """Every host in the order in which this Ingress would take it, and why it does or does not; with another scale or without some hosts."""
    if unknown := sorted({*without} - {h.name for h in world.roster.hosts}):
        known = ", ".join(h.name for h in world.roster.hosts)
        raise UsageError(f"there is no host {', '.join(unknown)}", why=f"the hosts are {known or 'none'}")
    t = translate(ingress)
    if scale is not None:
        t = replace(t, wanted=scale)
    hosts = tuple(replace(h, alive=h.alive and h.name not in without) for h in world.roster.hosts)
    wanted = t.wanted or len(hosts)
    before = set(placement.place(translate(ingress), world.roster).hosts)
    out: list[Item] = []
    for rank, c in enumerate(placement.explain(t, Roster(world.roster.epoch, world.roster.sequence, hosts)), 1):
        why = c.excluded or (f"among the best {wanted}" if c.chosen else f"{wanted} better ones are enough")
        host = world.roster.host(c.host)
        change = "" if c.chosen == (c.host in before) else "add" if c.chosen else "remove"
        out.append(
            {
                "rank": rank,
                "host": c.host,
                "address": host.address if host else "",
                "chosen": c.chosen,
                "change": change,
                "why": why,
            }
        )
    return out


def chosen(world: World, name: str = "", namespace: str = "") -> list[Translated]:
    """One Ingress, or all of ours (in a namespace). UsageError for one that is not ours."""
    ours = TranslationCache().translate_all(world.ingresses, world.classes)
    keys = (
        [world.served(world.find(name, namespace)).meta.key]
        if name
        else sorted(k for k in ours if not namespace or k.startswith(f"{namespace}/"))
    )
    return [ours[key] for key in keys if key in ours]


def unpublished(world: World, ingresses: Iterable[Translated]) -> list[http_check.Probe]:
    """What cannot even be asked: Ingresses that have fewer addresses than hosts are there for them, or none at all."""
    out = []
    for t in ingresses:
        stored, target = world.ingresses[t.key], placement.place(t, world.roster).target
        if len(stored.status) < max(1, target):
            note = published_status(stored.meta.annotations).get("message") or "the controller has not said why"
            text = f"{len(stored.status)} of {target or t.wanted or 'all'} addresses are published: {note}"
            out.append(http_check.Probe(http_check.Question(t.key, "", "", ""), False, 0, text))
    return out

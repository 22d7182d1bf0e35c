"""Explain what happens to one request: which Ingress, rule and endpoints answer, on which hosts, or why none does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rancherctl.errors import AuthError, NotFoundError, UsageError
from rancherctl.ingress.matcher import Match, Request, RuleTable
from rancherctl.ingress.model import ANY_HOST, BackendRef, Route, http_listeners
from rancherctl.ingress.operator.api_view import ApiView
from rancherctl.ingress.operator.host_rules import rule_table
from rancherctl.ingress.operator.overview import written_path
from rancherctl.ingress.options import HTTP_PORT
from rancherctl.ingress.role import desired
from rancherctl.ingress.translate import endpoints, merge
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.certificates import SecretState
from rancherctl.kube import objects
from rancherctl.kube.client import ENDPOINTSLICES, SERVICES, KubeClient
from rancherctl.kube.objects import Ingress
from rancherctl.net import is_ip, join_host_port, parse_port, split_host_port
from rancherctl.placement.place import place
from rancherctl.text import and_more, quoted

FORM: Final = '"GET http://HOST/PATH"'
_LINE = re.compile(r"(?:(?P<method>[A-Za-z]+)\s+)?(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#]*)(?P<target>.*)")
_TARGET = re.compile(r"[!-~]*")


def parse_request(text: str, source: str = "") -> Request:
    """``[METHOD] http://HOST[:PORT]/PATH`` as a request of the client ``source`` ("" = any).

    UsageError if no client could send it.
    """
    if source and not is_ip(source):
        raise UsageError(
            f"invalid client address {quoted(source)}", why="it is not an IP address", hint="--from 192.0.2.7"
        )
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise _invalid(text, f"the form is {FORM}")
    if found["scheme"].lower() != "http":
        raise _invalid(text, f"{found['scheme'].lower()} is not supported, only http", f"--request {FORM}")
    host, port = split_host_port(found["authority"])
    if not host or "@" in host or not host.isascii() or host != host.strip():
        raise _invalid(text, f"{quoted(found['authority'])} is not a host name with an optional port")
    if port is not None and parse_port(port) != HTTP_PORT:
        raise _invalid(text, f"load balancers serve plain HTTP on port {HTTP_PORT}")
    target = found["target"]
    if "#" in target:
        raise _invalid(text, "clients do not send the part after a number sign", "leave it out, or write %23")
    if not _TARGET.fullmatch(target):
        raise _invalid(text, "the path has spaces or characters outside ASCII", "write them percent-encoded")
    # Clients send a slash for an empty path: http://HOST?QUERY is asked as /?QUERY.
    target = target if target.startswith("/") else f"/{target}"
    return Request(found["authority"], target, (found["method"] or "GET").upper(), source)


def _invalid(text: str, why: str, hint: str = "") -> UsageError:
    return UsageError(f"invalid request {quoted(text)}", why=why, hint=hint or f"--request {FORM}")


@dataclass(frozen=True, slots=True)
class HostMatch:
    """The rule for the request on these hosts (none: no host serves the Ingress), and all rules of its host pattern."""

    hosts: tuple[str, ...]
    match: Match
    rules: tuple[Route, ...]
    table: RuleTable


def matches(view: ApiView, ingress: Ingress, request: Request) -> list[HostMatch]:
    """The rule for the request on each host that serves ``ingress``; hosts with the same one together.

    Hosts may differ: each has the Ingresses that are placed on it, and those that share a host name with them.
    """
    cache = TranslationCache()
    cluster = desired.build(_tables(view), view.roster, desired.Previous(), cache, None, 0.0)
    key = ingress.meta.key
    serving = sorted(
        {*place(cluster.translated[key].for_placement, view.roster).hosts}
        | {h.name for h in view.roster.hosts if h.address in ingress.status}
    )
    found: dict[tuple[Match, tuple[Route, ...]], list[str]] = {}
    tables: dict[Match, RuleTable] = {}
    for name in serving:
        table = _table_of(view, name, cache)
        match = table.match(request)
        tables[match] = table
        found.setdefault((match, table.of(match.pattern)), []).append(name)
    if not serving:
        keys = merge.loaded(cluster.translated, [key])
        owned = [(owner, route) for owner, route in cluster.merged.owners.values() if owner in keys]
        table = RuleTable(owned, [host for k in keys for host in cluster.translated[k].hosts])
        match = table.match(request)
        tables[match] = table
        found[match, table.of(match.pattern)] = []
    return [HostMatch(tuple(hosts), match, rules, tables[match]) for (match, rules), hosts in found.items()]


def _tables(view: ApiView) -> desired.Tables:
    return desired.Tables(view.ingresses, view.classes)


def _table_of(view: ApiView, host: str, cache: TranslationCache) -> RuleTable:
    local = desired.LocalHost(host, http_listeners(HTTP_PORT, ("IPv4",)))
    tables = _tables(view)
    # Authorities of clients are taken as usable: `ingress show` says it if they are not.
    asking = [t.client.authority for t in cache.translate_all(tables.ingresses, tables.classes).values() if t.client]
    tables = replace(tables, secrets=dict.fromkeys(asking, SecretState("usable")))
    return rule_table(desired.build(tables, view.roster, desired.Previous(), cache, local, 0.0))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses (HOST:PORT) that answer for a backend; ``note`` says what is known if there are none."""

    addresses: tuple[str, ...]
    note: str = ""
    known: bool = True


def read_endpoints(client: KubeClient, ref: BackendRef) -> Endpoints:
    """The ready endpoints of a Service port, from the API."""
    try:
        service = objects.service(client.get(SERVICES, ref.service, namespace=ref.namespace))
        selector = f"kubernetes.io/service-name={ref.service}"
        page = client.list(ENDPOINTSLICES, namespace=ref.namespace, label_selector=selector)
    except NotFoundError:
        return Endpoints((), f"service {ref.namespace}/{ref.service} not found")
    except AuthError as error:
        return Endpoints((), f"endpoints unknown: {error}", known=False)
    if service.type == "ExternalName":
        return Endpoints((), f"external name {service.external_name}, resolved by each host", known=False)
    slices = endpoints.by_service(map(objects.endpoint_slice, page.items))
    lookup = endpoints.servers_of(ref, {service.meta.key: service}, slices, {})
    if lookup.problem:
        return Endpoints((), lookup.problem.message)
    note = "" if lookup.servers else f"service {service.meta.key} has no ready endpoint"
    return Endpoints(tuple(join_host_port(*server) for server in lookup.servers), note)


def explain(client: KubeClient, view: ApiView, ingress: Ingress, request: Request) -> dict[str, Any]:
    """All of it as plain values. Reads the endpoints of the Services that answer."""
    found = matches(view, ingress, request)
    refs = {one.match.route.backend for one in found if one.match.route and one.match.route.forwards}
    ends = {ref.key: read_endpoints(client, ref) for ref in refs}
    addresses = {h.name: h.address for h in view.roster.hosts}
    return {
        "namespace": ingress.meta.namespace,
        "name": ingress.meta.name,
        "method": request.method,
        "host": request.host,
        "target": request.target,
        "answers": [
            {"hosts": [{"host": name, "address": addresses[name]} for name in one.hosts]} | _answer(request, one, ends)
            for one in found
        ],
    }


def _answer(request: Request, one: HostMatch, ends: Mapping[str, Endpoints]) -> dict[str, Any]:
    match, route = one.match, one.match.route
    have = ends[route.backend.key] if route and route.forwards else Endpoints(())
    answer = one.table.answer(request, lambda _: len(have.addresses) or int(not have.known))
    reason = {
        "closed": "an annotation that restricts access is invalid",
        "denied": f"the access list of the ingress does not allow {request.source}",
        "no-certificate": "the ingress needs a certificate of the client, which plain HTTP cannot show",
        "redirect": f"redirect to {answer.location}",
    }.get(answer.kind, have.note)
    if route is None:
        rules = ", ".join(f"{written_path(r)} ({r.kind})" for r in one.rules[:5])
        more = f" and {len(one.rules) - 5} more" if len(one.rules) > 5 else ""
        where = "rules without a host" if match.pattern == ANY_HOST else f"host {match.pattern}"
        reason = f"no rule matches; {where}: {rules or 'no paths'}{more}"
    return {
        "answer": answer.kind,
        "status": answer.status,
        "pattern": match.pattern,
        "ingress": match.ingress,
        "rule": {"host": route.host, "match": route.kind, "path": written_path(route)} if route else None,
        "backend": route.backend.key if route and route.forwards else "",
        "location": answer.location,
        "endpoints": list(have.addresses),
        "reason": reason,
    }


def text(item: Mapping[str, Any]) -> str:
    """``explain`` for people."""
    lines = [f"{item['method']} http://{item['host']}{item['target']}"]
    for answer in item["answers"]:
        if answer["hosts"]:
            lines.append("on " + ", ".join(f"{h['host']} {h['address']}" for h in answer["hosts"]) + ":")
        else:
            lines.append(f"no host serves {item['namespace']}/{item['name']} now; a host that served it would answer:")
        lines += [f"  {line}" for line in _lines(answer, f"{item['namespace']}/{item['name']}")]
    return "".join(f"{line}\n" for line in lines)


def _lines(answer: Mapping[str, Any], asked: str) -> list[str]:
    lines = []
    if rule := answer["rule"]:
        other = "" if answer["ingress"] == asked else f", not of {asked}"
        lines.append(
            f"rule:   {rule['host']}{rule['path'] or ' (default)'} ({rule['match']}) "
            f"of ingress {answer['ingress']}{other}"
        )
    if answer["answer"] == "forwarded":
        reached = and_more(answer["endpoints"]) or answer["reason"]
        lines.append(f"answer: forwarded to {answer['backend']} ({reached})")
    else:
        lines.append(f"answer: status {answer['status']}, {answer['reason']}")
    return lines

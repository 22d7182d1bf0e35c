"""The rules of one host's load balancer, made from what its agent renders HAProxy's configuration from. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from rancherctl.ingress.haproxy.listeners import reachable
from rancherctl.ingress.matcher import RuleTable
from rancherctl.ingress.model import http_listeners, https_listeners, tls_id
from rancherctl.ingress.operator.api_view import ApiView
from rancherctl.ingress.options import HTTP_PORT, HTTPS_PORT
from rancherctl.ingress.request import Request, Shown
from rancherctl.ingress.role import desired
from rancherctl.ingress.role.desired import Desired
from rancherctl.ingress.status.report import HostReport, TlsReport
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.certificates import TlsPolicy
from rancherctl.ingress.translate.secret_states import SecretState
from rancherctl.ingress.translate.tls import TlsClaim
from rancherctl.placement.place import place


def rule_table(built: Desired, blocked: Collection[int] = ()) -> RuleTable:
    """The rules of the host that ``built`` is for, if other programs use the ports ``blocked``."""
    model = built.host.model
    model = reachable(replace(model, listeners=tuple(x for x in model.listeners if x.port not in blocked)))
    owned = [(built.merged.owners[route.claim][0], route) for route in model.routes]
    return RuleTable(owned, model.bare, model.tls, model.listeners)


@dataclass(frozen=True, slots=True)
class HostRules:
    """The rules of one host. ``name`` is "" for those that a host would have if it served the Ingress.

    Contents of certificates are the keys of their secrets. ``tls`` is what the host reports about HTTPS, None if it
    does not: then every secret counts as usable. ``report`` has its problems.
    """

    name: str
    built: Desired
    table: RuleTable
    tls: TlsReport | None
    report: HostReport

    def claim(self, name: str, request: Request) -> TlsClaim | None:
        """Who may provide the certificate for a name on the request's port: for itself, else for its wildcard."""
        names, listener = self.built.claims.names, self.table.listener(request)
        port = listener.port if listener and listener.own else HTTPS_PORT
        return names.get(tls_id(name, port)) or names.get(tls_id(f"*.{name.partition('.')[2]}", port))

    def asked_for(self, request: Request) -> str:
        """The file with the authorities of clients' certificates that a handshake asks for; "" if it does not."""
        shown = self.table.certificate(request) if request.scheme == "https" else None
        options = self.table.tls.options.get(shown.name) if shown else None
        return options.authority if options else ""

    def provider(self, shown: Shown) -> str:
        """The Ingress whose secret a client is shown; "" for the default certificate."""
        claim = self.built.claims.names.get(shown.name)
        candidates = claim.candidates if claim else ()
        return next((key for key, secrets in candidates if not {*secrets}.isdisjoint(shown.contents)), "")


def rules_of_hosts(view: ApiView, ingress: str) -> list[HostRules]:
    """The rules of each host that serves an Ingress; of an imaginary host if none does.

    Hosts may differ: each has the Ingresses that are placed on it, and those that share a host name with them.
    """
    cache = TranslationCache()
    tables = desired.Tables(view.ingresses, view.classes)
    cluster = desired.build(tables, view.roster, desired.Previous(), cache, None, 0.0)
    published = view.ingresses[ingress].status
    serving = sorted(
        {*place(cluster.translated[ingress].for_placement, view.roster).hosts}
        | {h.name for h in view.roster.hosts if h.address in published}
    )
    asking = frozenset(t.client.authority for t in cluster.translated.values() if t.client)
    secrets = asking.union(*cluster.claims.secrets.values())
    return [_rules(view, name, cache, secrets) for name in serving] or [_imaginary(view, ingress, cache, secrets)]


def _rules(view: ApiView, name: str, cache: TranslationCache, secrets: Collection[str]) -> HostRules:
    report = view.reports.get(name, HostReport())
    host = view.roster.host(name)
    blocked = {*report.blocked_ports(), *(host.blocked if host else ())}
    return _built(view, name, cache, secrets, report, blocked, desired.Previous())


def _imaginary(view: ApiView, ingress: str, cache: TranslationCache, secrets: Collection[str]) -> HostRules:
    return _built(view, "", cache, secrets, HostReport(), (), desired.Previous(serves=(ingress,)))


def _built(
    view: ApiView,
    name: str,
    cache: TranslationCache,
    secrets: Collection[str],
    report: HostReport,
    blocked: Collection[int],
    previous: desired.Previous,
) -> HostRules:
    said = report.tls or TlsReport()
    listeners = (*http_listeners(HTTP_PORT, ("IPv4",)), *https_listeners(HTTPS_PORT, ("IPv4",)))
    local = desired.LocalHost(name, listeners, tls=TlsPolicy(said.default, said.redirect))
    usable = {*secrets, said.default} - said.lacking - {""}
    states = {secret: SecretState(content=secret) for secret in usable}
    tables = desired.Tables(view.ingresses, view.classes, secrets=states)
    built = desired.build(tables, view.roster, previous, cache, local, 0.0)
    return HostRules(name, built, rule_table(built, blocked), report.tls, report)

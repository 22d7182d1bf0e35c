"""Translate one Ingress object into validated routes, options and problems. Pure.

A refused rule or path never affects the other rules of its Ingress. merge.py decides which of two Ingresses owns a
path; endpoints.py finds the addresses behind a Service.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from rancherctl.ingress.annotations.parse import parse_annotations
from rancherctl.ingress.annotations.tls import names_of
from rancherctl.ingress.model import ANY_HOST, BackendRef, Route, Translated, content_hash
from rancherctl.ingress.options import DEFAULT_PORTS, RouteOptions
from rancherctl.ingress.translate import ports, sites, validate
from rancherctl.ingress.translate.clients import policy_of
from rancherctl.ingress.translate.tls import tls_names
from rancherctl.kube.objects import Ingress, IngressBackend, IngressPath
from rancherctl.placement.model import ObjectProblem
from rancherctl.text import quoted

MAX_ROUTES: Final = 2000


@dataclass(slots=True)
class _Rules:
    """Collects the routes and problems of one Ingress."""

    key: str
    namespace: str
    options: RouteOptions
    routes: dict[tuple[str, str, str], Route] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    problems: list[ObjectProblem] = field(default_factory=list)
    full: bool = False

    def refuse(self, reason: str, error: object) -> None:
        """Report a part that is not served."""
        self.problems.append(ObjectProblem(reason, str(error)))

    def backend(self, backend: IngressBackend, where: str) -> BackendRef | None:
        """The Service port of a rule, or None if it is refused."""
        if backend.resource:
            resource = quoted(backend.resource)
            self.refuse("ResourceBackend", f"{where}: resource backends ({resource}) are not supported, use a service")
            return None
        try:
            service = validate.name(backend.service, "service")
            port = validate.port_name(backend.port_name) if backend.port_name else ""
        except ValueError as error:
            self.refuse("InvalidBackend", f"{where}: {error}")
            return None
        if not port and not 0 < backend.port_number < 65536:
            self.refuse("InvalidBackend", f"{where}: service {service} has neither a port number nor a port name")
            return None
        return BackendRef(self.namespace, service, 0 if port else backend.port_number, port)

    def add(self, host: str, path_kind: str, path: str, backend: BackendRef) -> None:
        """Add a route, unless there are too many or its path occurs twice."""
        # A prefix matches whole path elements: both sides end with a slash when they are compared.
        if path_kind == "exact":
            route = Route(host, "exact", path, backend, self.options, self.key)
        elif path_kind == "prefix":
            route = Route(host, "prefix", path.rstrip("/") + "/", backend, self.options, self.key)
        else:
            route = Route(host, "default", "", backend, self.options, self.key)
        claim = route.claim
        if len(self.routes) >= MAX_ROUTES and claim not in self.routes:
            self.full = True
        elif (first := self.routes.setdefault(claim, route)) is not route and first != route:
            message = f"{route.host}{route.path} occurs twice; the first one is used"
            self.problems.append(ObjectProblem("DuplicatePath", message, serious=False))

    def add_path(self, host: str, names: Iterable[str], rule: IngressPath) -> None:
        """Validate one path of the rules for ``host``, and add its route for all these names."""
        if rule.path_type not in {"Exact", "Prefix", "ImplementationSpecific", ""}:
            self.refuse("InvalidPath", f"host {host}: unknown pathType {quoted(rule.path_type)}")
            return
        try:
            path = validate.path(rule.path or "/")
        except ValueError as error:
            self.refuse("InvalidPath", f"host {host}: {error}")
            return
        if meant := validate.pattern_meant(path):
            message = f"path {host}{path} matches only requests with that very path, asterisk included; {meant}"
            self.problems.append(ObjectProblem("PathPattern", message, serious=False))
        if (backend := self.backend(rule.backend, f"{host}{path}")) is not None:
            for name in names:
                self.add(name, "exact" if rule.path_type == "Exact" else "prefix", path, backend)

    def add_default(self, default: IngressBackend) -> None:
        """Add the default backend.

        It answers all unmatched requests, and those to a rule's host that match no path.
        """
        if (backend := self.backend(default, "defaultBackend")) is not None:
            for host in (ANY_HOST, *sorted(self.hosts - {ANY_HOST})):
                self.add(host, "default", "", backend)


def translate(ingress: Ingress) -> Translated:
    """Translate a whole object. Never raises: what is invalid becomes a problem."""
    annotations = parse_annotations(ingress.meta.annotations, len(ingress.status))
    rules = _Rules(ingress.meta.key, ingress.meta.namespace, annotations.route)
    for rule in ingress.rules:
        try:
            host = validate.host(rule.host)
        except ValueError as error:
            rules.refuse("InvalidHost", error)
            continue
        names = dict.fromkeys((host, *annotations.sites.aliases))
        rules.hosts.update(names)
        for path in rule.paths:
            rules.add_path(host, names, path)
    if ingress.default_backend is not None:
        rules.add_default(ingress.default_backend)
    if rules.routes:
        added = list(sites.added_routes(rules.routes, annotations.sites, rules.options, rules.problems))
        rules.routes.update({route.claim: route for route in added})
    if rules.full:
        rules.refuse("TooManyPaths", f"more than {MAX_ROUTES} paths in one ingress; the rest is not served")
    named = rules.hosts.union([host for host, _, _ in rules.routes])
    tls, tls_problems = tls_names(ingress.tls, ingress.meta.namespace, named) if ingress.tls else ((), [])
    if annotations.tls.changed and not tls:
        message = f"{names_of(annotations.tls.changed)} has no effect without tls"
        tls_problems.append(ObjectProblem("TlsOptionsUnused", message, serious=False))
    if annotations.route.hsts and not tls:
        message = "hsts has no effect, unless another ingress has a certificate for the same hosts: this one has no tls"
        tls_problems.append(ObjectProblem("HstsUnused", message, serious=False))
    if not rules.routes:
        rules.refuse("NoRoutes", "no rule of this ingress can be served; it is not placed on any host")
    routes = tuple(rules.routes[claim] for claim in sorted(rules.routes))
    bare = frozenset(rules.hosts - {r.host for r in routes} - {ANY_HOST})
    if annotations.ports != DEFAULT_PORTS:
        routes, bare = ports.spread(routes, bare, annotations.ports)
    return Translated(
        key=ingress.meta.key,
        created=ingress.meta.created,
        uid=ingress.meta.uid,
        hash=content_hash(ingress.meta.uid, routes, bare, tls, annotations.tls, annotations.redirect),
        routes=routes,
        problems=(*rules.problems, *tls_problems, *annotations.problems),
        options=annotations.placement,
        obstacle=annotations.obstacle if routes else "no rule of this ingress can be served",
        bare=bare,
        tls=tls,
        tls_options=annotations.tls,
        ports=annotations.ports,
        client=policy_of(ingress.meta.namespace, annotations.route),
        redirect=annotations.redirect,
    )

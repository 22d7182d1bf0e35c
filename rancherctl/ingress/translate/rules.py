"""One Ingress object → ``Translated``: validated routes, what placement must know, and a problem for everything refused. Pure.

A refused rule or path never takes the rest of its Ingress with it. Which of two Ingresses owns a path is decided in merge.py, which
addresses stand behind a Service in endpoints.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rancherctl.ingress.annotations.parse import parse_annotations
from rancherctl.ingress.model import BackendRef, Route, Translated, digest
from rancherctl.ingress.translate import validate
from rancherctl.kube.objects import Ingress, IngressBackend, IngressPath
from rancherctl.placement.model import Problem

MAX_ROUTES = 2000


@dataclass(slots=True)
class _Reader:
    """Collects the routes and problems of one Ingress."""

    namespace: str
    routes: dict[tuple[str, str, str], Route] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    full: bool = False

    def refuse(self, reason: str, error: object) -> None:
        self.problems.append(Problem(reason, str(error)))

    def backend(self, backend: IngressBackend, where: str) -> BackendRef | None:
        if backend.resource:
            self.refuse(
                "ResourceBackend",
                f"{where}: resource backends ({validate.shown(backend.resource)}) are not supported, only services",
            )
            return None
        try:
            service = validate.name(backend.service, "service")
            port = validate.port_name(backend.port_name) if backend.port_name else ""
        except ValueError as error:
            self.refuse("InvalidBackend", f"{where}: {error}")
            return None
        if not port and not 0 < backend.port_number < 65536:
            self.refuse("InvalidBackend", f"{where}: service {service} is named without a port")
            return None
        return BackendRef(self.namespace, service, 0 if port else backend.port_number, port)

    def add(self, route: Route) -> None:
        if len(self.routes) >= MAX_ROUTES and route.claim not in self.routes:
            self.full = True
            return
        if self.routes.setdefault(route.claim, route) != route:
            self.problems.append(
                Problem(
                    "DuplicatePath", f"{route.host}{route.path} is there twice; the first one counts", serious=False
                )
            )

    def path(self, host: str, entry: IngressPath) -> None:
        kind = "exact" if entry.path_type == "Exact" else "prefix"
        if entry.path_type not in {"Exact", "Prefix", "ImplementationSpecific", ""}:
            self.refuse("InvalidPath", f"host {host}: pathType {validate.shown(entry.path_type)} is unknown")
            return
        try:
            path = validate.path(entry.path or "/")
        except ValueError as error:
            self.refuse("InvalidPath", f"host {host}: {error}")
            return
        backend = self.backend(entry.backend, f"{host}{path}")
        if backend is None:
            return
        # A prefix matches whole path elements: both sides end with a slash when they are compared.
        self.add(
            Route(host, "exact", path, backend)
            if kind == "exact"
            else Route(host, "prefix", path.rstrip("/") + "/", backend)
        )


def translate(ingress: Ingress) -> Translated:
    """Read the whole object. Never raises: what cannot be taken becomes a problem."""
    reader = _Reader(ingress.meta.namespace)
    for rule in ingress.rules:
        try:
            host = validate.host(rule.host)
        except ValueError as error:
            reader.refuse("InvalidHost", error)
            continue
        reader.hosts.add(host)
        for entry in rule.paths:
            reader.path(host, entry)
    _defaults(ingress, reader)
    if reader.full:
        reader.problems.append(
            Problem("TooManyPaths", f"more than {MAX_ROUTES} paths in one ingress; the rest is not served")
        )
    if ingress.tls:
        reader.problems.append(
            Problem("TlsNotServed", "tls is not served yet; the rules answer over plain HTTP on port 80", serious=False)
        )
    annotations = parse_annotations(ingress.meta.annotations, len(ingress.status))
    routes = tuple(sorted(reader.routes.values(), key=lambda r: r.claim))
    bare = frozenset(reader.hosts - {r.host for r in routes} - {"*"})
    if not routes:
        reader.problems.append(Problem("NoRoutes", "no rule of this ingress can be served; it is placed on no host"))
    return Translated(
        key=ingress.meta.key,
        created=ingress.meta.created,
        uid=ingress.meta.uid,
        hash=digest(ingress.meta.uid, [(r.host, r.kind, r.path, r.backend.key) for r in routes], *sorted(bare)),
        routes=routes,
        problems=(*reader.problems, *annotations.problems),
        options=annotations.placement,
        obstacle="no rule of this ingress can be served" if not routes else annotations.obstacle,
        bare=bare,
    )


def _defaults(ingress: Ingress, reader: _Reader) -> None:
    """A rule without paths sends its host to the default backend; that also answers for what no other rule matches."""
    if ingress.default_backend is None:
        return
    backend = reader.backend(ingress.default_backend, "defaultBackend")
    if backend is None:
        return
    reader.add(Route("*", "default", "", backend))
    for rule in ingress.rules:
        try:
            host = validate.host(rule.host)
        except ValueError:
            continue  # told above
        if host != "*":
            reader.add(Route(host, "default", "", backend))

"""Explain what happens to one request: certificate, Ingress, rule and endpoints, on which hosts, or why it fails."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rancherctl.errors import AuthError, NotFoundError, UsageError
from rancherctl.ingress.matcher import ACME
from rancherctl.ingress.model import ANY_HOST, BackendRef, Route, host_of, site_id
from rancherctl.ingress.operator.api_view import ApiView
from rancherctl.ingress.operator.host_rules import HostRules, rules_of_hosts
from rancherctl.ingress.operator.overview import written_path
from rancherctl.ingress.options import HTTPS_PORT
from rancherctl.ingress.request import Answer, Request
from rancherctl.ingress.translate import endpoints
from rancherctl.ingress.translate.tls import TlsClaim
from rancherctl.kube import objects
from rancherctl.kube.client import ENDPOINTSLICES, SERVICES, KubeClient
from rancherctl.kube.objects import Ingress
from rancherctl.net import join_host_port
from rancherctl.text import and_more

Item = dict[str, Any]
_CERTIFICATE_REASONS: Final = ("CertificatePending", "CertificateInvalid", "NoDefaultCertificate")
_AUTHORITY_REASONS: Final = ("ClientCaMissing", "ClientCaInvalid")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses (HOST:PORT) that answer for a backend; ``note`` says what is known if there are none.

    ``local``: host → those on it.
    """

    addresses: tuple[str, ...]
    note: str = ""
    known: bool = True
    local: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def on(self, host: str, target: str) -> Endpoints:
        """Those that a host uses with the annotation ``target``; host "" = an imaginary one."""
        own = self.local.get(host, ())
        if not (target and host and self.addresses) or (target == "prefer-local" and not own):
            return self
        note = "" if own else f"no ready endpoint on {host} (annotation target: only-local)"
        return Endpoints(own, note)


def read_endpoints(client: KubeClient, ref: BackendRef, hosts: Collection[str] = ()) -> Endpoints:
    """The ready endpoints of a Service port, from the API; those on each of these ``hosts``, too."""
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

    def on(node: str) -> tuple[str, ...]:
        own = endpoints.servers_of(ref, {service.meta.key: service}, slices, {}, node=node)
        return tuple(join_host_port(*server) for server in own.servers)

    every = tuple(join_host_port(*server) for server in lookup.servers)
    return Endpoints(every, note, local={host: on(host) for host in hosts})


def explain(client: KubeClient, view: ApiView, ingress: Ingress, request: Request) -> Item:
    """All of it as plain values: the answers, each with the hosts that give it.

    A ``client`` of the request that is not "" stands for a certificate that the authorities of each host accept. Reads
    the endpoints of the Services that answer. UsageError if load balancers do not listen on the request's port.
    """
    every = rules_of_hosts(view, ingress.meta.key)
    _check_port(request, every)
    matches = [rules.table.match(request).route for rules in every]
    refs = {route.backend for route in matches if route and route.forwards}
    hosts = [rules.name for rules in every if rules.name]
    ends = {ref.key: read_endpoints(client, ref, hosts) for ref in sorted(refs, key=lambda ref: ref.key)}
    addresses = {h.name: h.address for h in view.roster.hosts}
    answers: list[Item] = []
    for rules in every:
        own = _answer(replace(request, client=request.client and rules.asked_for(request)), rules, ends)
        host = {"host": rules.name, "address": addresses[rules.name]} if rules.name else None
        same = next((answer for answer in answers if answer | {"hosts": []} == own | {"hosts": []}), None)
        if same is None:
            answers.append(own | {"hosts": [host] if host else []})
        elif host:
            same["hosts"].append(host)
    return {
        "namespace": ingress.meta.namespace,
        "name": ingress.meta.name,
        "method": request.method,
        "scheme": request.scheme,
        "host": request.host,
        "target": request.target,
        "port": request.port,
        "sni": request.sni,
        "from": request.source,
        "content_length": request.length,
        "client_certificate": bool(request.client),
        "answers": answers,
    }


def _check_port(request: Request, every: Sequence[HostRules]) -> None:
    """UsageError if no host listens on the port, or only for the other protocol."""
    listeners = {(x.protocol, x.port) for rules in every for x in rules.built.host.model.listeners}
    if (request.scheme, request.port) in listeners:
        return
    url = f"{request.scheme}://{request.host}"
    found = ", ".join(f"{port} ({scheme})" for scheme, port in sorted(listeners, key=lambda x: x[1]))
    other = next((scheme for scheme, port in listeners if port == request.port), "")
    why = f"port {request.port} is for {other}" if other else f"load balancers listen on the ports {found}"
    raise UsageError(f"no load balancer answers {url}", why=why, hint='--request "GET https://HOST/PATH"')


def _answer(request: Request, rules: HostRules, ends: Mapping[str, Endpoints]) -> Item:
    """The answer of one host, without its name."""

    def ends_of(route: Route) -> Endpoints:
        return ends[route.backend.key].on(rules.name, route.options.target)

    def servers(route: Route) -> int:
        have = ends_of(route)
        return len(have.addresses) or int(not have.known)

    found = rules.table.answer(request, servers)
    match, route = found.match, found.match.route
    decided = found.kind not in {"no-listener", "refused", "misdirected", "tls-redirect"}
    forwards = decided and route is not None and route.forwards
    have = ends_of(route) if route and forwards else Endpoints(())
    shown = found.certificate
    return {
        "hosts": [],
        "answer": found.kind,
        "status": found.status,
        "certificate": {"name": shown.name, "ingress": rules.provider(shown), "secrets": list(shown.contents)}
        if shown
        else None,
        "pattern": match.pattern,
        "ingress": match.ingress if decided else "",
        "rule": {"host": route.host, "match": route.kind, "path": written_path(route)} if route and decided else None,
        "backend": route.backend.key if route and forwards else "",
        "location": found.location,
        "endpoints": list(have.addresses),
        "reason": _reason(request, found, rules, have),
        "note": _note(request, found, rules),
    }


def _reason(request: Request, found: Answer, rules: HostRules, have: Endpoints) -> str:
    """Why this is the answer; "" if the service answers."""
    if found.kind in {"no-listener", "refused", "misdirected"}:
        return _no_connection(request, found, rules)
    match, route = found.match, found.match.route
    text = have.note
    match found.kind:
        case "tls-redirect" | "redirect":
            text = f"redirect to {found.location}"
        case "no-route":
            host, _, port = match.pattern.partition(":")
            where = ("rules without a host" if host == ANY_HOST else f"host {host}") + (
                f" on port {port}" if port else ""
            )
            listed = and_more([f"{written_path(r)} ({r.kind})" for r in rules.table.of(match.pattern)], shown=5)
            text = f"no rule matches; {where}: {listed or 'no paths'}"
        case "closed":
            said = _said(rules, [match.ingress], _AUTHORITY_REASONS)
            text = said or "an annotation that restricts access is invalid"
        case "denied":
            text = f"the access list of the ingress does not allow {request.source}"
        case "no-certificate":
            why = (
                "which plain HTTP cannot show" if request.scheme == "http" else "and this connection does not prove one"
            )
            text = f"the ingress needs a certificate of the client, {why}"
        case "preflight":
            text = "the load balancer answers requests of browsers about CORS itself (annotation cors-origins)"
        case "too-large":
            limit = route.options.body_size if route else 0
            text = f"the Content-Length {request.length} is larger than the {limit} bytes of the annotation body-size"
    return text


def _no_connection(request: Request, found: Answer, rules: HostRules) -> str:
    """Why the client cannot connect, or why the connection does not serve the request."""
    asked = request.sni or "no name"
    if found.kind == "no-listener":
        return f"another program uses port {request.port} of the host"
    if found.kind == "refused":
        if rules.asked_for(request):
            return f"the client has no certificate, and the handshake for {asked} needs one (client-ca)"
        if not request.sni:
            return f"the client asks for no name (SNI); {_no_default(rules)}"
        return f"no certificate for {asked}: {_no_certificate(request.sni, request, rules)}; {_no_default(rules)}"
    if rules.table.proves_other(request):
        text = f"certificates of clients are verified differently for {asked} and {request.name}"
    elif host_of(found.match.pattern) == ANY_HOST:
        text = f"no rule names {request.name}, and the TLS connection is for {asked}"
    else:
        text = f"no certificate for {request.name} here: {_no_certificate(request.name, request, rules)}"
    return text


def _no_default(rules: HostRules) -> str:
    default = rules.tls.default if rules.tls else ""
    if default:
        return f"the default certificate {default} is missing or not usable"
    return "the environment has no default certificate"


def _no_certificate(name: str, request: Request, rules: HostRules) -> str:
    """Why a host has no certificate for a name."""
    claim = rules.claim(name.lower().rstrip("."), request)
    if claim is None:
        return "no ingress has a tls entry for it"
    if host_of(claim.site) not in {site for key in rules.built.host.serving.keys for site in _sites(rules, key)}:
        return f"the tls entry of ingress {claim.owner} is not for this host"
    return _lacking(claim, rules)


def _sites(rules: HostRules, key: str) -> frozenset[str]:
    found = rules.built.translated.get(key)
    return found.hosts if found else frozenset()


def _said(rules: HostRules, ingresses: Iterable[str], reasons: Collection[str]) -> str:
    """Problems with these reasons that the host reports about these Ingresses."""
    found = [p.message for key in ingresses for p in rules.report.problems.get(key, ()) if p.reason in reasons]
    return and_more(list(dict.fromkeys(found)), shown=2, separator="; ")


def _lacking(claim: TlsClaim, rules: HostRules) -> str:
    """What the host says about the secrets of a claim that has no usable one."""
    if said := _said(rules, [key for key, _ in claim.candidates], _CERTIFICATE_REASONS):
        return said
    secrets = [secret for _, listed in claim.candidates for secret in listed if secret]
    if not secrets:
        return f"the tls entry of ingress {claim.owner} names no secret"
    return f"{and_more([f'secret {s}' for s in secrets], shown=3)} is missing or not usable"


def _note(request: Request, found: Answer, rules: HostRules) -> str:
    """What else concerns this answer: a redirect that does not happen, and what is not known."""
    notes = []
    site = found.match.pattern
    claims = [claim for claim in rules.built.claims.names.values() if site in claim.plain]
    if request.scheme == "http" and claims and found.kind not in {"no-listener", "tls-redirect"}:
        notes.append(f"not redirected to HTTPS: {_no_redirect(request, site, claims, rules)}")
    if request.scheme == "http" and rules.table.of(site_id(site, HTTPS_PORT)) and not rules.table.of(site):
        notes.append("the rules of this host are for HTTPS only (annotation allow.http)")
    secure = request.scheme == "https" or claims
    if rules.name and rules.tls is None and secure:
        notes.append(f"{rules.name} does not report which certificates it has; all are taken as usable")
    return "; ".join(notes)


def _no_redirect(request: Request, site: str, claims: Sequence[TlsClaim], rules: HostRules) -> str:
    """Why plain requests are answered on a site that has names with certificates."""
    said = rules.built.claims.redirects.get(site)
    choice = said.option.ssl_redirect if said else ""
    if request.path.startswith(ACME) and site in rules.table.tls.redirects:
        return "it is a challenge of a certificate authority"
    if choice == "false":
        return "the annotation ssl-redirect is false"
    if not choice and rules.tls and not rules.tls.redirect:
        return "ingress.tls.redirect of the environment is off"
    if not any(x.protocol == "https" for x in rules.table.listeners):
        return "another program uses the port of HTTPS"
    if any(rules.table.tls.names.get(name) for name, claim in rules.built.claims.names.items() if claim in claims):
        return f"only some names of {host_of(site)} have a certificate"
    return _lacking(claims[0], rules)

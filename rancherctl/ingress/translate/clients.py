"""Certificates of clients (mutual TLS): whose authorities count for a name, and which routes are closed. Pure.

A handshake concerns a name, a request concerns a route. Ingresses that have a name in ``tls`` say how its handshakes
are made (tls.py). A route is served only on connections whose handshake used the authorities of its own Ingress, so it
does not matter who owns the name: nothing opens, see haproxy/client_certificates.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from rancherctl.ingress.model import ClientPolicy, Route, Translated, digest
from rancherctl.ingress.options import CLOSED, RouteOptions
from rancherctl.ingress.purposes import CLIENT_CA, parse_key, purpose_key
from rancherctl.placement.model import ObjectProblem
from rancherctl.text import and_more

NO_PROOF: Final = "-"
"""What a handshake without authorities proves."""


def policy_of(namespace: str, options: RouteOptions) -> ClientPolicy | None:
    """What an Ingress says about certificates of clients; None = nothing."""
    if not options.client_ca:
        return None
    return ClientPolicy(
        purpose_key(CLIENT_CA.name, f"{namespace}/{options.client_ca}"), options.client_verify == "required"
    )


def joined(policies: Iterable[ClientPolicy | None]) -> ClientPolicy | None:
    """How handshakes for a name are made that these Ingresses of one namespace have in ``tls``, the oldest first.

    The first one that names authorities decides. The handshake requires a certificate only if all of them do.
    """
    every = list(policies)
    first = next((policy for policy in every if policy), None)
    return replace(first, required=all(p == first for p in every) and first.required) if first else None


def unverifiable(
    t: Translated, policy: ClientPolicy, names: Mapping[str, tuple[str, ClientPolicy | None]]
) -> Iterable[ObjectProblem]:
    """Which hosts of an Ingress are never served, because no handshake for them uses its authorities.

    ``names``: each name that it has in ``tls`` → owner and policy of the name; none if it is not served over HTTPS.
    """
    out: list[ObjectProblem] = []
    if missing := sorted(t.hosts - {n.site for n in t.tls if n.name in names}):
        hosts = and_more(["requests without a host" if host == "*" else host for host in missing])
        message = f"client-ca: tls of this ingress has no entry for {hosts}; requests get status 403"
        out.append(ObjectProblem("ClientCaWithoutTls", message))
    others: dict[str, list[str]] = {}
    for name, (owner, client) in names.items():
        if client is None or client.authority != policy.authority:
            others.setdefault(owner, []).append(name)
    for owner, owned in sorted(others.items()):
        message = f"client-ca: certificates of clients for {and_more(owned)} are verified as ingress {owner} says"
        out.append(ObjectProblem("ClientCaShadowed", f"{message}; requests to this ingress get status 403"))
    return out


def proof(authority: str, contents: Mapping[str, str]) -> str:
    """What a handshake with these authorities proves, as one word that changes with them; "" if they are missing."""
    return digest(authority, contents[authority]) if contents.get(authority) else ""


def effective(route: Route, contents: Mapping[str, str]) -> Route:
    """The route as a host serves it: with the proof that a connection needs, or closed if its authorities are missing.

    ``contents``: keys of secrets → contents of usable authorities on the host.
    """
    policy = policy_of(route.backend.namespace, route.options)
    if policy is None:
        return route
    return replace(route, options=_effective(route.options, proof(policy.authority, contents)))


@lru_cache(maxsize=1 << 10)
def _effective(options: RouteOptions, needed: str) -> RouteOptions:
    return replace(options, client_policy=f"{options.client_verify}|{needed}") if needed else CLOSED


def authority_problems(policy: ClientPolicy, trouble: str, reason: str) -> Iterable[ObjectProblem]:
    """What is wrong with the authorities of an Ingress on one host; ``trouble`` as in secret_states.SecretState."""
    secret = parse_key(policy.authority)[1]
    if trouble == "missing":
        message = f"client-ca: waiting for secret {secret}; until then requests get status 503"
        yield ObjectProblem("ClientCaMissing", message)
    elif trouble:
        message = f"client-ca: secret {secret} cannot be used: {reason}; until then requests get status 503"
        yield ObjectProblem("ClientCaInvalid", message)


@dataclass(frozen=True, slots=True)
class HostClients:
    """Parts of TlsModel of one host: ``clients`` and ``authorities``; ``files``: names → file and verification."""

    clients: Mapping[str, str] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)


NO_CLIENTS: Final = HostClients()


def host_clients(
    policies: Mapping[str, ClientPolicy | None], secured: Collection[str], contents: Mapping[str, str]
) -> HostClients:
    """What handshakes for these names prove on a host that has these authorities.

    Only ``secured`` names have a certificate. Handshakes for others are made as for a wildcard or not at all, and prove
    nothing.
    """
    known = {name: p for name, p in policies.items() if p and name in secured and p.authority in contents}
    if not known:
        return NO_CLIENTS
    clients = {name: proof(policy.authority, contents) for name, policy in known.items()}
    parents = {name.removeprefix("*.") for name in known if name.startswith("*.")}
    clients |= {name: NO_PROOF for name in policies if name not in known and name.partition(".")[2] in parents}
    files = {key: digest(key) for key in {policy.authority for policy in known.values()}}
    return HostClients(
        clients,
        {file: contents[key] for key, file in files.items()},
        {name: (files[p.authority], "required" if p.required else "optional") for name, p in known.items()},
    )

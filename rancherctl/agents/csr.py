"""Certificate requests that hosts make for themselves: who asks, and whether it may be approved. Pure.

What they ask for is read by ``pkcs10``. Nothing is approved that names anything but the host that asks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Literal

from rancherctl.agents.pkcs10 import Content
from rancherctl.agents.roster import PUBLIC_ADDRESS
from rancherctl.kube.objects import Meta, Node, meta

SERVING = "kubernetes.io/kubelet-serving"
CLIENT = "kubernetes.io/kube-apiserver-client"
AGENT_PREFIX = "rancherctl:agent:"
AGENT_GROUP = "rancherctl:agents"
PROXY = "system:kube-proxy"
"""One identity on all hosts: its key lies beside the agent's own, so an agent that asks for it asks for what its host has."""
NODE_PREFIX = "system:node:"
NODE_GROUP = "system:nodes"


@dataclass(frozen=True, slots=True)
class Request:
    """A CertificateSigningRequest: who asks, for what; ``pending`` = neither approved nor denied."""

    meta: Meta
    signer: str
    username: str
    groups: tuple[str, ...]
    usages: frozenset[str]
    pem: str
    pending: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ignore``: somebody else's signer. ``why`` is one line."""

    answer: Literal["approve", "deny", "ignore"]
    why: str


def parse(obj: Mapping[str, Any]) -> Request:
    """From the API's JSON."""
    import base64

    spec = obj.get("spec") or {}
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return Request(
        meta=meta(obj),
        signer=spec.get("signerName", ""),
        username=spec.get("username", ""),
        groups=tuple(spec.get("groups") or ()),
        usages=frozenset(spec.get("usages") or ()),
        pem=base64.b64decode(spec.get("request", "")).decode("ascii", "replace"),
        pending=not any(c.get("type") in {"Approved", "Denied", "Failed"} for c in conditions),
    )


def ours(request: Request) -> bool:
    """Whether a host of ours asks, for what we decide on; all other requests are somebody else's."""
    return (request.signer, True) in {
        (SERVING, request.username.startswith(NODE_PREFIX)),
        (CLIENT, request.username.startswith(AGENT_PREFIX)),
    }


def judge(
    request: Request,
    content: Content,
    nodes: Mapping[str, Node],
    services: str,
    owners: Mapping[str, str] | None = None,
) -> Verdict:
    """Approve a kubelet's serving certificate or an agent's own client certificate or its host's kube-proxy; deny anything foreign.

    ``services`` is the network of Services: no host has an address in it. ``owners``: address → the host that the environment gave it to, "" =
    none (that of a load balancer before the API).
    """
    if not ours(request):
        return Verdict("ignore", "not a request of a host of ours")
    if request.signer == CLIENT:
        return _agent(request, content, nodes)
    name = request.username.removeprefix(NODE_PREFIX)
    node = nodes.get(name)
    if node is None:
        return Verdict("ignore", f"there is no Node {name} yet")
    return _serving(request, content, name, _own_addresses(node, nodes, services, owners or {}))


def _addresses(texts: Iterable[str]) -> frozenset[IPv4Address | IPv6Address]:
    """Those that are addresses; names are left out. Clients take ``::ffff:10.0.0.1`` for 10.0.0.1, so it is that here."""
    found: set[IPv4Address | IPv6Address] = set()
    for text in texts:
        with contextlib.suppress(ValueError):
            ip = ip_address(text)
            found.add((ip.ipv4_mapped if isinstance(ip, IPv6Address) else None) or ip)
    return frozenset(found)


def _own_addresses(node: Node, nodes: Mapping[str, Node], services: str, owners: Mapping[str, str]) -> frozenset[str]:
    """What a host may be certified as. It writes its Node's addresses itself, so it could claim those of the API server or of another host:
    where the environment says whose an address is, no Node's word counts; else it must be no other's.
    """
    foreign = [other for other in nodes.values() if other is not node]
    others = _addresses(
        a
        for other in foreign
        for a in (*(a for _, a in other.addresses), other.meta.annotations.get(PUBLIC_ADDRESS, ""))
    )
    network, name = ip_network(services), node.meta.name
    whose = {ip: host for text, host in owners.items() for ip in _addresses((text,))}
    return frozenset(
        str(ip)
        for ip in _addresses(a for _, a in node.addresses)
        if (whose[ip] == name if ip in whose else ip not in others)
        and not (ip.is_loopback or ip.is_unspecified or ip.is_link_local or ip.is_multicast or ip in network)
    )


def _serving(request: Request, content: Content, name: str, allowed: frozenset[str]) -> Verdict:
    checks = (
        (content.common_name == request.username, f"common name {content.common_name!r} is not {request.username!r}"),
        (content.organizations == (NODE_GROUP,), f"organization {content.organizations!r} is not {NODE_GROUP}"),
        (NODE_GROUP in request.groups, f"{request.username} is not in {NODE_GROUP}"),
        (not content.other_names, "it names mail addresses or URIs"),
        (not content.other_parts, "its subject has more than an organization and one common name"),
        (bool(content.dns or content.ips), "it names no address at all"),
        (content.dns <= {name}, f"it names {sorted(content.dns - {name})}, only {name} is its name"),
        (
            content.ips <= allowed,
            f"it names {sorted(content.ips - allowed)}, which are not addresses of Node {name} alone",
        ),
        ("server auth" in request.usages, "it is not for serving"),
        (
            request.usages <= {"digital signature", "key encipherment", "server auth"},
            f"usages {sorted(request.usages)}",
        ),
    )
    return _verdict(checks, f"serving certificate of node {name}")


def _agent(request: Request, content: Content, nodes: Mapping[str, Node]) -> Verdict:
    name = request.username.removeprefix(AGENT_PREFIX)
    if name not in nodes:
        return Verdict("ignore", f"there is no Node {name} (any more)")
    proxy = content.common_name == PROXY
    groups = () if proxy else (AGENT_GROUP,)
    checks = (
        (
            proxy or content.common_name == request.username,
            f"common name {content.common_name!r} is not {request.username!r}",
        ),
        (
            content.organizations == groups,
            f"organization {content.organizations!r} is not {' '.join(groups) or 'empty'}",
        ),
        (AGENT_GROUP in request.groups, f"{request.username} is not in {AGENT_GROUP}"),
        (not (content.dns or content.ips or content.other_names), "a client certificate names no addresses"),
        (not content.other_parts, "its subject has more than an organization and one common name"),
        (
            request.usages <= {"digital signature", "key encipherment", "client auth"},
            f"usages {sorted(request.usages)}",
        ),
    )
    return _verdict(checks, f"renewal {'of kube-proxy ' if proxy else ''}by {request.username}")


def _verdict(checks: tuple[tuple[bool, str], ...], what: str) -> Verdict:
    wrong = [why for good, why in checks if not good]
    return Verdict("deny", f"{what}: {'; '.join(wrong)}") if wrong else Verdict("approve", what)

"""Decide on the certificate requests that hosts send for themselves. Pure.

``pkcs10`` reads what is requested. A request that names anything but the requesting host is denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal

from rancherctl.agents.pkcs10 import RequestContent
from rancherctl.contract import AGENT_GROUP, AGENT_PREFIX, PUBLIC_ADDRESS_ANNOTATION
from rancherctl.kube.certificate_requests import CertificateRequest
from rancherctl.kube.objects import Node
from rancherctl.net import IPAddress, parse_ip, unmapped
from rancherctl.roles.controllers import SIGNERS

SERVING, CLIENT = SIGNERS
PROXY = "system:kube-proxy"
"""One identity for all hosts. Its key lies beside the agent's: an agent that requests it requests what its host has."""
NODE_PREFIX = "system:node:"
NODE_GROUP = "system:nodes"


@dataclass(frozen=True, slots=True)
class Ruling:
    """``ignore``: not our decision, or not yet. ``why`` is one line."""

    answer: Literal["approve", "deny", "ignore"]
    why: str


def is_from_host(request: CertificateRequest) -> bool:
    """Whether a host of the environment requests a certificate that the controller decides on."""
    return (request.signer, True) in {
        (SERVING, request.username.startswith(NODE_PREFIX)),
        (CLIENT, request.username.startswith(AGENT_PREFIX)),
    }


def judge(
    request: CertificateRequest,
    content: RequestContent,
    nodes: Mapping[str, Node],
    services: str,
    owners: Mapping[str, str] | None = None,
) -> Ruling:
    """Approve serving certificates of kubelets, and client certificates of agents and their kube-proxy.

    Anything else from a host is denied. ``services`` is the network of Services: no host has an address in it.
    ``owners``: address → the host that the environment file gives it to, "" if to none (a load balancer before the
    API).
    """
    if not is_from_host(request):
        return Ruling("ignore", "not a request of a host of this environment")
    if request.signer == CLIENT:
        return _judge_agent(request, content, nodes)
    name = request.username.removeprefix(NODE_PREFIX)
    node = nodes.get(name)
    if node is None:
        return Ruling("ignore", f"Node {name} does not exist yet")
    return _judge_kubelet(request, content, name, _own_addresses(node, nodes, services, owners or {}))


def _addresses(texts: Iterable[str]) -> frozenset[IPAddress]:
    """The texts that are addresses, ``::ffff:10.0.0.1`` as 10.0.0.1, because clients treat it so."""
    return frozenset(unmapped(ip) for text in texts if (ip := parse_ip(text)) is not None)


def _own_addresses(node: Node, nodes: Mapping[str, Node], services: str, owners: Mapping[str, str]) -> frozenset[str]:
    """The addresses that a host may be certified for.

    A kubelet writes its Node's addresses itself, so it could claim those of the API server or of another host. The
    environment file decides who owns an address that it names; any other address must not be on another Node, too.
    """
    foreign = [other for other in nodes.values() if other is not node]
    others = _addresses(
        a
        for other in foreign
        for a in (*(a for _, a in other.addresses), other.meta.annotations.get(PUBLIC_ADDRESS_ANNOTATION, ""))
    )
    network, name = ip_network(services), node.meta.name
    owner = {ip: host for text, host in owners.items() for ip in _addresses((text,))}
    return frozenset(
        str(ip)
        for ip in _addresses(a for _, a in node.addresses)
        if (owner[ip] == name if ip in owner else ip not in others)
        and not (ip.is_loopback or ip.is_unspecified or ip.is_link_local or ip.is_multicast or ip in network)
    )


def _judge_kubelet(request: CertificateRequest, content: RequestContent, name: str, allowed: frozenset[str]) -> Ruling:
    checks = (
        (content.common_name == request.username, f"common name {content.common_name!r} is not {request.username!r}"),
        (content.organizations == (NODE_GROUP,), f"organization {content.organizations!r} is not {NODE_GROUP}"),
        (NODE_GROUP in request.groups, f"{request.username} is not in group {NODE_GROUP}"),
        (not content.other_names, "it names mail addresses or URIs"),
        (not content.other_parts, "its subject has more than an organization and one common name"),
        (bool(content.dns or content.ips), "it names no address at all"),
        (content.dns <= {name}, f"it names {sorted(content.dns - {name})}, but this host's only name is {name}"),
        (
            content.ips <= allowed,
            f"it names {sorted(content.ips - allowed)}, which do not belong to Node {name} alone",
        ),
        ("server auth" in request.usages, "usage server auth is missing"),
        (
            request.usages <= {"digital signature", "key encipherment", "server auth"},
            f"usages {sorted(request.usages)} are not allowed",
        ),
    )
    return _ruling(checks, f"serving certificate of node {name}")


def _judge_agent(request: CertificateRequest, content: RequestContent, nodes: Mapping[str, Node]) -> Ruling:
    name = request.username.removeprefix(AGENT_PREFIX)
    if name not in nodes:
        return Ruling("ignore", f"Node {name} does not exist")
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
        (AGENT_GROUP in request.groups, f"{request.username} is not in group {AGENT_GROUP}"),
        (not (content.dns or content.ips or content.other_names), "a client certificate must not name addresses"),
        (not content.other_parts, "its subject has more than an organization and one common name"),
        (
            request.usages <= {"digital signature", "key encipherment", "client auth"},
            f"usages {sorted(request.usages)} are not allowed",
        ),
    )
    return _ruling(checks, f"renewal {'of kube-proxy ' if proxy else ''}by {request.username}")


def _ruling(checks: tuple[tuple[bool, str], ...], what: str) -> Ruling:
    wrong = [why for passed, why in checks if not passed]
    return Ruling("deny", f"{what}: {'; '.join(wrong)}") if wrong else Ruling("approve", what)

"""Certificate requests that hosts make for themselves: what is in one, and whether it may be approved. Pure.

The request's content is read with ``openssl req`` on the controller's host (a fact: command and parser); nothing is approved that
names anything but the host that asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

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
class Content:
    """What the request asks to be certified."""

    common_name: str
    organizations: tuple[str, ...]
    dns: frozenset[str]
    ips: frozenset[str]
    other_names: bool


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


def parse_openssl(text: str) -> Content:
    """From ``openssl req -noout -nameopt multiline,utf8 -text``: subject attributes and alternative names."""
    names = re.findall(r"^\s+(commonName|organizationName)\s*= (.*)$", text, re.MULTILINE)
    found = re.search(r"X509v3 Subject Alternative Name:.*\n\s*(.+)", text)
    alternatives = [part.strip() for part in found.group(1).split(",")] if found else []
    dns = frozenset(a.removeprefix("DNS:") for a in alternatives if a.startswith("DNS:"))
    ips = frozenset(a.removeprefix("IP Address:") for a in alternatives if a.startswith("IP Address:"))
    return Content(
        common_name=next((v for k, v in names if k == "commonName"), ""),
        organizations=tuple(v for k, v in names if k == "organizationName"),
        dns=dns,
        ips=ips,
        other_names=len(dns) + len(ips) != len(alternatives),
    )


def judge(request: Request, content: Content, nodes: Mapping[str, Node]) -> Verdict:
    """Approve a kubelet's serving certificate or an agent's own client certificate or its host's kube-proxy; deny anything foreign."""
    if request.signer == SERVING and request.username.startswith(NODE_PREFIX):
        return _serving(request, content, nodes)
    if request.signer == CLIENT and request.username.startswith(AGENT_PREFIX):
        return _agent(request, content)
    return Verdict("ignore", "not a request of a host of ours")


def _serving(request: Request, content: Content, nodes: Mapping[str, Node]) -> Verdict:
    name = request.username.removeprefix(NODE_PREFIX)
    node = nodes.get(name)
    if node is None:
        return Verdict("ignore", f"there is no Node {name} yet")
    allowed = {a for _, a in node.addresses} | {name}
    checks = (
        (content.common_name == request.username, f"common name {content.common_name!r} is not {request.username!r}"),
        (content.organizations == (NODE_GROUP,), f"organization {content.organizations!r} is not {NODE_GROUP}"),
        (NODE_GROUP in request.groups, f"{request.username} is not in {NODE_GROUP}"),
        (not content.other_names, "it names mail addresses or URIs"),
        (bool(content.dns or content.ips), "it names no address at all"),
        (content.dns | content.ips <= allowed, f"it names {sorted((content.dns | content.ips) - allowed)}, which Node {name} has not"),
        ("server auth" in request.usages, "it is not for serving"),
        (request.usages <= {"digital signature", "key encipherment", "server auth"}, f"usages {sorted(request.usages)}"),
    )
    return _verdict(checks, f"serving certificate of node {name}")


def _agent(request: Request, content: Content) -> Verdict:
    proxy = content.common_name == PROXY
    groups = () if proxy else (AGENT_GROUP,)
    checks = (
        (proxy or content.common_name == request.username, f"common name {content.common_name!r} is not {request.username!r}"),
        (content.organizations == groups, f"organization {content.organizations!r} is not {' '.join(groups) or 'empty'}"),
        (AGENT_GROUP in request.groups, f"{request.username} is not in {AGENT_GROUP}"),
        (not (content.dns or content.ips or content.other_names), "a client certificate names no addresses"),
        (request.usages <= {"digital signature", "key encipherment", "client auth"}, f"usages {sorted(request.usages)}"),
    )
    return _verdict(checks, f"renewal {'of kube-proxy ' if proxy else ''}by {request.username}")


def _verdict(checks: tuple[tuple[bool, str], ...], what: str) -> Verdict:
    wrong = [why for good, why in checks if not good]
    return Verdict("deny", f"{what}: {'; '.join(wrong)}") if wrong else Verdict("approve", what)

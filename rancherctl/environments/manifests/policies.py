"""ValidatingAdmissionPolicies for what RBAC cannot express. Pure.

- Which tokens a refresh token may request: with a stolen one, an attacker could otherwise get a token that lives for
  years and is not bound to a session, so that ending the session would not revoke it.
- What a kubelet may change in its own Node: with a kubelet's credential, an attacker could otherwise make that host a
  load balancer, or publish foreign addresses for it.
- Which ports a Service with addresses of hosts may have, and who may write these addresses into a status: kube-proxy of
  every node sends what goes to such an address and port to the Service, so that clients of SSH, the kubelet or the API
  of a host would reach somebody's pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rancherctl.contract import (
    CONTROLLER_IDENTITY,
    DRAIN_ANNOTATION,
    LOAD_BALANCER_LABEL,
    NODE_PORTS,
    OWNED_LABELS_ANNOTATION,
    PUBLIC_ADDRESS_ANNOTATION,
    SERVICE_CLASS,
)
from rancherctl.credentials.tokens import NAMESPACE, TOKEN_SECONDS, refresher, session_secret
from rancherctl.environments.manifests.base import meta
from rancherctl.environments.model import Environment
from rancherctl.environments.ports import reserved as reserved_ports
from rancherctl.kube.client import Json
from rancherctl.net import parse_ip

ADMISSION: Final = "admissionregistration.k8s.io"
_HOSTS: Final = "'system:nodes' in request.userInfo.groups"
_BOUND: Final = "object.spec.boundObjectRef"


def policies(environment: Environment) -> list[Json]:
    """All policies with their bindings."""
    if environment.is_federation:
        return [*refresh_tokens(), *_nodes()]
    return [
        *refresh_tokens(),
        *_nodes(),
        *_node_drain(),
        *_service_ports(environment),
        *_service_addresses(environment),
    ]


def policy(
    name: str,
    resources: Sequence[str],
    operations: Sequence[str],
    who: str,
    validations: Mapping[str, str],
    *,
    failure: str = "Fail",
    group: str = "",
    versions: Sequence[str] = ("v1",),
    action: str = "Deny",
) -> list[Json]:
    """A policy for objects of one API group and its binding. ``who``: CEL expression that selects callers.

    ``validations``: CEL expression → message; ``action``: ``Deny`` or ``Warn``.
    """
    rule = {
        "apiGroups": [group],
        "apiVersions": list(versions),
        "operations": list(operations),
        "resources": list(resources),
    }
    rules = [rule]
    spec = {
        "failurePolicy": failure,
        "matchConstraints": {"resourceRules": rules},
        "matchConditions": [{"name": "who", "expression": who}],
        "validations": [{"expression": expression, "message": message} for expression, message in validations.items()],
    }
    binding = {"policyName": name, "validationActions": [action]}
    return [
        {"apiVersion": f"{ADMISSION}/v1", "kind": "ValidatingAdmissionPolicy", "metadata": meta(name), "spec": spec},
        {
            "apiVersion": f"{ADMISSION}/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": meta(name),
            "spec": binding,
        },
    ]


def _service_ports(environment: Environment) -> list[Json]:
    """Reserved ports of Services of our class are refused, unless the Service had them before the policy."""
    reserved = sorted(reserved_ports(environment))
    listed = ", ".join(f"'{port}/{protocol.upper()}'" for protocol, port in reserved)
    first, last = NODE_PORTS
    text = "string(p.port) + '/' + p.?protocol.orValue('TCP')"
    refused = f"({text} in [{listed}] || (p.port >= {first} && p.port <= {last}))"
    same = "q.port == p.port && q.?protocol.orValue('TCP') == p.?protocol.orValue('TCP')"
    before = (
        "request.operation == 'UPDATE' && oldObject.spec.?loadBalancerClass.orValue('') == "
        f"'{SERVICE_CLASS}' && oldObject.spec.?ports.orValue([]).exists(q, {same})"
    )
    ours = f"object.spec.?loadBalancerClass.orValue('') == '{SERVICE_CLASS}'"
    who = f"object.spec.?type.orValue('') == 'LoadBalancer' && {ours}"
    message = (
        f"these ports are used by the hosts themselves: {', '.join(f'{n}/{p.upper()}' for p, n in reserved)}, "
        f"{first}-{last}; choose others"
    )
    validations = {f"object.spec.?ports.orValue([]).all(p, !{refused} || ({before}))": message}
    return policy("rancherctl-service-ports", ["services"], ["CREATE", "UPDATE"], who, validations)


def _service_addresses(environment: Environment) -> list[Json]:
    """Only the controller adds addresses of hosts to statuses of Services."""
    named = (address for host in environment.hosts for address in (host.address, host.public_address) if address)
    addresses = {str(parse_ip(address) or address) for address in named}
    listed = ", ".join(f"'{address}'" for address in sorted(addresses))
    now, before = (f"{side}.?status.?loadBalancer.?ingress.orValue([])" for side in ("object", "oldObject"))
    known = f"{before}.exists(b, b.?ip.orValue('') == a.?ip.orValue(''))"
    # The API takes IPv6 addresses in other spellings, and so does kube-proxy.
    canonical = "isIP(a.?ip.orValue('')) && ip.isCanonical(a.?ip.orValue(''))"
    added = f"{now}.all(a, a.?ip.orValue('') == '' || {known} || ({canonical} && !(a.?ip.orValue('') in [{listed}])))"
    who = f"request.userInfo.username != '{CONTROLLER_IDENTITY}'"
    message = (
        "addresses of the environment's hosts are written by its controller only, others in canonical form (RFC 5952)"
    )
    return policy("rancherctl-service-addresses", ["services/status"], ["UPDATE"], who, {added: message})


def refresh_tokens() -> list[Json]:
    who = f"request.userInfo.username.startsWith('system:serviceaccount:{NAMESPACE}:{refresher('')}')"
    session = session_secret("", "").partition("--")[0]
    kind, name = (f"{_BOUND}.?{field}.orValue('')" for field in ("kind", "name"))
    bound = (
        f"has({_BOUND}) && {_BOUND} != null && {kind} == 'Secret'"
        f" && {name}.startsWith('{session}-' + request.name + '-')"
    )
    validations = {
        f"object.spec.expirationSeconds <= {TOKEN_SECONDS}": (
            f"operators' tokens must expire within {TOKEN_SECONDS} seconds"
        ),
        bound: "operators' tokens must be bound to one of their sessions",
    }
    return policy("rancherctl-refresh-tokens", ["serviceaccounts/token"], ["CREATE"], who, validations)


def _kept(part: str, key: str) -> str:
    """CEL: this label or annotation is as it was, and a new object has none."""
    new, old = (f"{side}.metadata.?{part}[?'{key}'].orValue('')" for side in ("object", "oldObject"))
    return f"{new} == (request.operation == 'UPDATE' ? {old} : '')"


def _node_drain() -> list[Json]:
    """A host does not end its own drain."""
    validations = {
        _kept(
            "annotations", DRAIN_ANNOTATION
        ): f"{DRAIN_ANNOTATION} is set by `rancherctl env host-drain`, not by hosts"
    }
    return policy(
        "rancherctl-node-drain", ["nodes", "nodes/status"], ["CREATE", "UPDATE"], _HOSTS, validations, failure="Ignore"
    )


def _nodes() -> list[Json]:
    """The policy about Nodes. If it cannot be evaluated, requests pass: Nodes that cannot be updated are worse."""

    # Kubelets are configured with their address, and hosts keep it: other hosts route to it and publish it.
    before, now = (f"{side}.?status.?addresses.orValue([])" for side in ("oldObject", "object"))

    def all_in(some: str, others: str) -> str:
        same = f"{others}.exists(b, b.type == a.type && b.address == a.address)"
        return f"{some}.filter(a, a.type in ['InternalIP', 'ExternalIP']).all(a, {same})"

    joining = f"request.operation == 'CREATE' || !{before}.exists(b, b.type == 'InternalIP')"
    set_by_apply = [
        ("labels", LOAD_BALANCER_LABEL),
        ("annotations", PUBLIC_ADDRESS_ANNOTATION),
        ("annotations", OWNED_LABELS_ANNOTATION),
    ]

    validations = {
        _kept(part, key): f"{key} is set by `rancherctl env apply`, not by hosts" for part, key in set_by_apply
    }
    validations[f"{joining} || ({all_in(now, before)} && {all_in(before, now)})"] = (
        "a Node keeps the addresses with which it joined (to change them, delete the Node and restart its kubelet)"
    )
    return policy(
        "rancherctl-nodes", ["nodes", "nodes/status"], ["CREATE", "UPDATE"], _HOSTS, validations, failure="Ignore"
    )

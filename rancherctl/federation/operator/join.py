"""Join a member: check everything, then write accounts and policies there and a Cluster in the federation.

Running it again changes nothing, or heals what is missing (``--renew``).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from typing import Any, Final

from rancherctl import bound_tokens
from rancherctl.change import Plan
from rancherctl.contract import (
    FEDERATION_CONTROLLER,
    FEDERATION_LABEL,
    FEDERATION_NAMESPACE_PREFIX,
    PUBLIC_ADDRESS_ANNOTATION,
)
from rancherctl.errors import NotFoundError, PreflightError, RancherctlError, TimeoutExceededError
from rancherctl.events import Emit, Event, ignore
from rancherctl.federation import tokens
from rancherctl.federation.cluster import ADDRESSES_ANNOTATION, CLUSTERS, Cluster, cluster
from rancherctl.federation.conditions import READY, by_type
from rancherctl.federation.operator import member_objects
from rancherctl.federation.operator.join_checks import Seen, Wanted, problems, unreachable, warnings
from rancherctl.federation.operator.rights_check import Need, missing, needs
from rancherctl.kube import apply as kube
from rancherctl.kube.client import NAMESPACES, NODES, SECRETS, Json, KubeClient
from rancherctl.polling import poll_until
from rancherctl.text import plural

MANAGER: Final = "rancherctl"
DEFAULT_NAMESPACE: Final = "default"


def uid(client: KubeClient) -> str:
    """The identity of a cluster: the uid of its namespace kube-system."""
    return str(client.get(NAMESPACES, "kube-system")["metadata"]["uid"])


def federations_of(member: KubeClient, *, timeout: float = 10.0) -> list[str]:
    """The federations that have accounts in an environment, sorted by name. ``timeout`` in seconds.

    Accounts whose namespace is being removed do not count.
    """
    found = [n["metadata"] for n in member.list(NAMESPACES, timeout=timeout).items]
    names = [str(meta["name"]) for meta in found if not meta.get("deletionTimestamp")]
    prefix = FEDERATION_NAMESPACE_PREFIX
    return sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix))


def observe(hub: KubeClient, member: KubeClient, federation: str, name: str) -> Seen:
    """Read what the checks need; ``federation`` is its name."""
    try:
        found = [cluster(obj) for obj in hub.list(CLUSTERS).items]
    except NotFoundError as error:
        hint = "rancherctl federation create makes one"
        raise NotFoundError("the environment to join is not a federation", hint=hint) from error
    namespaces = {str(n["metadata"]["name"]): n for n in member.list(NAMESPACES).items}
    nodes = member.list(NODES).items
    federation_uid = uid(hub)
    return Seen(
        federation_uid,
        uid(member),
        namespaces,
        {c.meta.name: c for c in found},
        _addresses(nodes),
        _version(member),
        tuple(_missing(hub, member, federation, federation_uid, name)),
        _version(hub),
    )


def _version(client: KubeClient) -> str:
    return str(json.loads(client.raw("GET", "/version")).get("gitVersion", ""))


def _missing(hub: KubeClient, member: KubeClient, federation: str, federation_uid: str, name: str) -> list[str]:
    """Rights that the operator lacks, one line for each API."""
    own = tokens.member_namespace(federation)
    there = (
        *needs(member_objects.objects(federation, federation_uid)),
        Need("create", "", "serviceaccounts/token", own),
        Need("create", "", "configmaps", own),
    )
    here = (
        *(Need(verb, CLUSTERS.group, "clusters") for verb in ("create", "patch")),
        *(Need(verb, "", "secrets", FEDERATION_CONTROLLER) for verb in ("get", "create", "patch")),
    )
    found = ((name, missing(member, there)), (f"the federation {federation}", missing(hub, here)))
    return [f"you may not {', '.join(map(str, lacking))} at {where}" for where, lacking in found if lacking]


def _addresses(nodes: Sequence[Json]) -> tuple[str, ...]:
    """What the member's hosts can publish: their public addresses, else their own."""
    out = []
    for node in nodes:
        public = (node["metadata"].get("annotations") or {}).get(PUBLIC_ADDRESS_ANNOTATION)
        own = [a["address"] for a in (node.get("status") or {}).get("addresses") or () if a["type"] == "InternalIP"]
        out += [public] if public else own
    return tuple(sorted(set(out)))


def check(federation: str, wanted: Wanted, seen: Seen) -> None:
    """PreflightError with all problems."""
    found = problems(federation, wanted, seen)
    if found:
        raise PreflightError(
            f"{wanted.name} cannot join the federation {federation}: {plural(len(found), 'problem')}",
            found,
            hint="nothing was changed",
        )


def plan(member: KubeClient, federation: str, seen: Seen) -> Plan[Json]:
    """What would be written in the member."""
    wanted = member_objects.objects(federation, seen.federation_uid)
    return kube.plan(member, wanted, member_objects.inventory(federation))


def cluster_object(wanted: Wanted, seen: Seen) -> Json:
    """The Cluster in the federation. What was said in an earlier join stays, unless it is said again."""
    known = seen.clusters.get(wanted.name)
    given = bool(wanted.addresses) or (known is not None and ADDRESSES_ANNOTATION in known.meta.annotations)
    kept = known.addresses if known is not None and given else seen.addresses
    trusted = wanted.ca.encode()
    if known is not None and trusted.strip() in known.ca:
        trusted = known.ca  # the federation follows the member's authorities: it may trust a newer one, too
    kept_labels = known.meta.labels if known is not None else {}
    labels = {k: v for k, v in kept_labels.items() if k not in wanted.removed_labels} | dict(wanted.labels)
    before, away = known.servers if known is not None else (), unreachable(wanted)
    spec: dict[str, Any] = {
        "mode": "Push",
        "servers": [server for server in wanted.servers if server in before or server not in away],
        "caBundle": base64.b64encode(trusted).decode(),
        "credentials": {"secretRef": {"name": secret_name(wanted.name)}},
        "kinds": list(member_objects.KINDS),
        "addresses": list(wanted.addresses or kept),
    }
    notes = {ADDRESSES_ANNOTATION: "given"} if given else {}
    return {"metadata": {"name": wanted.name, "labels": labels, "annotations": notes}, "spec": spec}


def secret_name(member: str) -> str:
    """Name of the Secret with the credential of a member."""
    return f"cluster-{member}"


def join(
    hub: KubeClient, member: KubeClient, federation: str, wanted: Wanted, *, renew: bool = False, emit: Emit = ignore
) -> bool:
    """Check, then join; whether anything was changed. ``renew``: issue a new credential in any case."""
    seen = observe(hub, member, federation, wanted.name)
    check(federation, wanted, seen)
    for line in warnings(federation, wanted, seen):
        emit(Event("join", line, wanted.name, level="warning"))
    todo = plan(member, federation, seen)
    kube.apply(member, todo, member_objects.inventory(federation), emit=emit)
    changed = bool(todo)
    default = seen.namespaces.get(DEFAULT_NAMESPACE)
    if wanted.open_default and default is not None and _label(default) != federation:
        member.patch(NAMESPACES, DEFAULT_NAMESPACE, member_objects.open_namespace(federation))
        changed = True
    changed |= _credential(hub, member, federation, wanted.name, renew=renew)
    before = seen.clusters.get(wanted.name)
    stored = cluster(hub.apply(CLUSTERS, cluster_object(wanted, seen), manager=MANAGER))
    return changed or before is None or _said(stored) != _said(before)


def _said(member: Cluster) -> tuple[object, ...]:
    """What a join writes of a Cluster; its status and version move without a join."""
    meta = member.meta
    return member.servers, member.ca, member.secret, member.kinds, member.addresses, meta.labels, meta.annotations


def _credential(hub: KubeClient, member: KubeClient, federation: str, name: str, *, renew: bool) -> bool:
    """Store a renewer's token for this session, unless there is one that is valid for it."""
    namespace = tokens.member_namespace(federation)
    session = str(member.get(SECRETS, tokens.SESSION, namespace=namespace)["metadata"]["uid"])
    try:
        stored = hub.get(SECRETS, secret_name(name), namespace=FEDERATION_CONTROLLER).get("data") or {}
    except NotFoundError:
        stored = {}
    data = {key: base64.b64decode(value).decode() for key, value in stored.items()}
    expires = bound_tokens.claim(data.get(tokens.TOKEN_KEY, ""), "exp") or 0.0
    same = data.get(tokens.SESSION_UID_KEY) == session
    if same and not renew and expires - time.time() > tokens.RENEWER_SECONDS / 2:
        return False
    path, body = tokens.request(federation, tokens.RENEWER, tokens.RENEWER_SECONDS, session)
    try:
        token = bound_tokens.parse(member.raw("POST", path, body=body), time.time())
    except (ValueError, json.JSONDecodeError) as error:
        raise RancherctlError(f"{name}: no credential was issued", why=str(error)) from error
    secret = {
        "metadata": {"name": secret_name(name), "namespace": FEDERATION_CONTROLLER},
        "type": "Opaque",
        "stringData": {tokens.TOKEN_KEY: str(token.value), tokens.SESSION_UID_KEY: session},
    }
    hub.apply(SECRETS, secret, manager=MANAGER)
    return True


def wait(hub: KubeClient, name: str, timeout: float) -> None:
    """Wait until the federation uses the member; TimeoutExceededError with what its conditions say."""
    last: dict[str, Any] = {}

    def ready() -> bool:
        found = cluster(hub.get(CLUSTERS, name))
        last.update(by_type(found.status.get("conditions")))
        return str((last.get(READY) or {}).get("status")) == "True"

    if not poll_until(ready, timeout=timeout):
        state = last.get(READY) or {}
        raise TimeoutExceededError(
            f"{name} has joined, but the federation does not use it after {timeout:.0f} s",
            why=f"{state.get('reason', 'not looked at yet')}: {state.get('message', '')}".removesuffix(": "),
            hint="rancherctl federation ls shows its state; logs on the federation's host: "
            "journalctl -u rancherctl-federation",
        )


def preview(member: KubeClient, federation: str, wanted: Wanted, seen: Seen) -> list[str]:
    """What a join would write, and what the federation's account could do there, one line each."""
    lines = [f"{c.verb} {c.key.partition(' ')[2]} in {wanted.name}" for c in plan(member, federation, seen)]
    if wanted.open_default and federation != _label(seen.namespaces.get(DEFAULT_NAMESPACE)):
        lines.append(f"open the namespace {DEFAULT_NAMESPACE} of {wanted.name} to {federation}")
    if wanted.name not in seen.clusters:
        lines.append(f"create the Cluster {wanted.name} and its credential in {federation}")
    lines.append(f"rights of {member_objects.account(federation, tokens.CONTROLLER)} there:")
    rules = member_objects.cluster_rules()
    lines += [f"  {', '.join(rule['resources'])}: {', '.join(rule['verbs'])}" for rule in rules]
    lines.append("  narrowed by admission: only with the federation's label, never in kube-* and rancherctl-*")
    return lines


def _label(namespace: Json | None) -> str:
    return str(((namespace or {}).get("metadata", {}).get("labels") or {}).get(FEDERATION_LABEL, ""))

"""A member leaves: its names first, then its copies, its credential and its accounts; then look again, and say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_LABEL, LEAVE_FINALIZER
from rancherctl.errors import NotFoundError, TimeoutExceededError
from rancherctl.events import Emit, Event, ignore
from rancherctl.federation import tokens
from rancherctl.federation.cluster import CLUSTERS, LEAVE_ANNOTATION, cluster
from rancherctl.federation.operator import member_objects
from rancherctl.federation.operator.join import secret_name
from rancherctl.federation.operator.overview import problems
from rancherctl.federation.pending import PENDING_PREFIX
from rancherctl.kube import apply as kube
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, SECRETS, SERVICES, KubeClient, Resource
from rancherctl.polling import poll_until
from rancherctl.text import and_more, plural

PHASE: Final = "leave"
POLICIES: Final = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)


def begin(hub: KubeClient, member: str, services: str) -> None:
    """Ask the federation to take the member's names away, then its copies (``services``: keep or delete)."""
    note = {"metadata": {"annotations": {LEAVE_ANNOTATION: services}}}
    hub.patch(CLUSTERS, member, note)
    hub.delete(CLUSTERS, member)


def wait(hub: KubeClient, member: str, timeout: float, emit: Emit = ignore) -> None:
    """Wait until names and copies are gone; TimeoutExceededError says what is in the way."""
    emit(Event(PHASE, "waiting until names have expired and copies are gone", member, "progress"))

    def left() -> bool:
        try:
            hub.get(CLUSTERS, member)
        except NotFoundError:
            return True
        return False

    if poll_until(left, timeout=timeout):
        return
    found = cluster(hub.get(CLUSTERS, member))
    raise TimeoutExceededError(
        f"{member} has not left after {timeout:.0f} s",
        why="; ".join(problems(found)) or "its copies are still being removed",
        hint=f"it goes on leaving; run the same command again, or with --force if {member} is lost",
    )


def abandon(hub: KubeClient, member: str) -> None:
    """Remove a member that is lost, without its API: what it has stays there."""
    try:
        found = cluster(hub.get(CLUSTERS, member))
    except NotFoundError:
        return
    rest = [finalizer for finalizer in found.finalizers if finalizer != LEAVE_FINALIZER]
    hub.patch(CLUSTERS, member, {"metadata": {"finalizers": rest}})
    try:
        if not found.meta.deleting:
            hub.delete(CLUSTERS, member)
    except NotFoundError:
        return


def forget(hub: KubeClient, member: str) -> None:
    """Remove the member's credential and its tombstones from the federation."""
    for resource, name in ((SECRETS, secret_name(member)), (CONFIGMAPS, f"{PENDING_PREFIX}{member}")):
        try:
            hub.delete(resource, name, namespace=FEDERATION_CONTROLLER)
        except NotFoundError:
            continue


def clear(member: KubeClient, federation: str, emit: Emit = ignore) -> None:
    """Remove the session, which ends all access at once, then everything else that the federation put there."""
    namespace = tokens.member_namespace(federation)
    try:
        member.delete(SECRETS, tokens.SESSION, namespace=namespace)
    except NotFoundError:
        emit(Event(PHASE, "the session was gone already", federation, "progress"))
    inventory = member_objects.inventory(federation)
    kube.apply(member, kube.plan(member, (), inventory), inventory, emit=emit)
    for space in member.list(NAMESPACES, label_selector=f"{FEDERATION_LABEL}={federation}").items:
        member.patch(NAMESPACES, space["metadata"]["name"], {"metadata": {"labels": {FEDERATION_LABEL: None}}})


def proof(hub: KubeClient, member_api: KubeClient | None, federation: str, member: str) -> list[tuple[bool, str]]:
    """Look again: (whether it is as it should be, one line). Without ``member_api`` only the federation's side."""
    out = [
        (_absent(hub, CLUSTERS, member), f"the member {member} is gone from {federation}"),
        (_absent(hub, SECRETS, secret_name(member), FEDERATION_CONTROLLER), "its credential is gone"),
    ]
    if member_api is None:
        return out
    marked = member_api.list(SERVICES, label_selector=f"{FEDERATION_LABEL}={federation}").items
    names = [f"{s['metadata']['namespace']}/{s['metadata']['name']}" for s in marked]
    text = f"no Service there has the federation's marks{': still ' + and_more(names) if names else ''}"
    out.append((not names, text))
    namespace = tokens.member_namespace(federation)
    out.append((_ending(member_api, namespace), f"the namespace {namespace} is gone there"))
    left = [name for name in member_objects.policy_names(federation) if not _absent(member_api, POLICIES, name)]
    out.append(
        (not left, f"{plural(len(member_objects.policy_names(federation)), 'policy', 'policies')} are gone there")
    )
    return out


def left_behind(federation: str, addresses: Sequence[str]) -> list[str]:
    """What stays in a member that was abandoned, one line each."""
    return [
        f"its copies, with the label {FEDERATION_LABEL}={federation}",
        f"the namespace {tokens.member_namespace(federation)} with the accounts and the Secret session",
        f"the admission policies {', '.join(member_objects.policy_names(federation))}",
        *([f"its addresses {', '.join(addresses)}, which no name leads to any more"] if addresses else []),
    ]


def _absent(client: KubeClient, resource: Resource, name: str, namespace: str = "") -> bool:
    try:
        client.get(resource, name, namespace=namespace)
    except NotFoundError:
        return True
    return False


def _ending(client: KubeClient, namespace: str) -> bool:
    """Whether a namespace is gone, or about to be: its content is removed first."""
    try:
        found = client.get(NAMESPACES, namespace)
    except NotFoundError:
        return True
    return bool(found["metadata"].get("deletionTimestamp"))

"""A member leaves: its names first, then its copies, its credential and its accounts; then look again, and say so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_LABEL, FEDERATION_UID_ANNOTATION, LEAVE_FINALIZER
from rancherctl.errors import ConflictError, NotFoundError, TimeoutExceededError
from rancherctl.events import Emit, Event, ignore
from rancherctl.federation import tokens
from rancherctl.federation.apply import CopyWriter
from rancherctl.federation.cluster import CLUSTERS, LEAVE_ANNOTATION, cluster
from rancherctl.federation.objects import namespace_copy, service_copy
from rancherctl.federation.operator import dns, member_objects
from rancherctl.federation.operator.join import secret_name, uid
from rancherctl.federation.operator.overview import problems
from rancherctl.federation.pending import PENDING_PREFIX
from rancherctl.federation.plan import WantedCopies, plan
from rancherctl.kube import apply as kube
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, SECRETS, SERVICES, Json, KubeClient, Resource
from rancherctl.kube.kinds import Kinds
from rancherctl.kube.rest import RestClient
from rancherctl.polling import poll_until
from rancherctl.text import and_more, plural

PHASE: Final = "leave"
WITHDRAW_SECONDS: Final = 10.0
"""How long a leave by force waits for the names."""
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


def withdraw(
    hub: KubeClient, member: str, addresses: Collection[str], *, timeout: float = WITHDRAW_SECONDS
) -> tuple[str, ...]:
    """Have the names taken away from a member that is lost; returns those that lead there after ``timeout`` seconds.

    ``addresses``: what it was published with.
    """

    def leading() -> tuple[str, ...]:
        try:
            found = dns.read(hub).names
        except NotFoundError:
            return ()  # provider none
        return tuple(n.name for n in found if any(a in record.split(" ") for record in n.records for a in addresses))

    begin(hub, member, "keep")
    poll_until(lambda: not leading(), timeout)
    return leading()


def abandon(hub: KubeClient, member: str) -> None:
    """Remove a member that is lost, without its API: what it has stays there."""
    try:
        if not cluster(hub.get(CLUSTERS, member)).meta.deleting:
            hub.delete(CLUSTERS, member)
        # Only now: while it is not being deleted, the federation's process adds the finalizer again.
        left = cluster(hub.get(CLUSTERS, member)).finalizers
        rest = [finalizer for finalizer in left if finalizer != LEAVE_FINALIZER]
        hub.patch(CLUSTERS, member, {"metadata": {"finalizers": rest}})
    except NotFoundError:
        return


def forget(hub: KubeClient, member: str) -> None:
    """Remove the member's credential and its tombstones from the federation."""
    for resource, name in ((SECRETS, secret_name(member)), (CONFIGMAPS, f"{PENDING_PREFIX}{member}")):
        try:
            hub.delete(resource, name, namespace=FEDERATION_CONTROLLER)
        except NotFoundError:
            continue


def clear(hub: KubeClient, member: KubeClient, federation: str, emit: Emit = ignore) -> None:
    """Remove the session, which ends all access, then everything else that the federation put there.

    ConflictError if it was put there by another federation with this name.
    """
    namespace = tokens.member_namespace(federation)
    _same_federation(hub, member, namespace, federation)
    try:
        member.delete(SECRETS, tokens.SESSION, namespace=namespace)
    except NotFoundError:
        emit(Event(PHASE, "the session was gone already", federation, "progress"))
    inventory = member_objects.inventory(federation)
    # The namespace goes last: while it ends, the inventory in it could not be written.
    own, *others = member_objects.objects(federation, uid(hub))
    kube.apply(member, kube.plan(member, (own,), inventory), inventory, emit=emit)
    _delete_rest(member, others)
    for space in member.list(NAMESPACES, label_selector=f"{FEDERATION_LABEL}={federation}").items:
        member.patch(NAMESPACES, space["metadata"]["name"], {"metadata": {"labels": {FEDERATION_LABEL: None}}})
    try:
        member.delete(NAMESPACES, namespace)
    except NotFoundError:
        return


def _same_federation(hub: KubeClient, member: KubeClient, namespace: str, federation: str) -> None:
    try:
        found = member.get(NAMESPACES, namespace)
    except NotFoundError:
        return
    mark = (found["metadata"].get("annotations") or {}).get(FEDERATION_UID_ANNOTATION, "")
    if mark and mark != uid(hub):
        raise ConflictError(
            f"the namespace {namespace} there belongs to another federation {federation} (uid {mark})",
            hint="nothing was removed; leave with that federation, or delete the namespace if it is gone for good",
        )


def _delete_rest(member: KubeClient, objects: Sequence[Json]) -> None:
    """Delete what an earlier, interrupted leave has left without an inventory."""
    kinds = Kinds(member)
    for obj in reversed(objects):
        metadata = obj["metadata"]
        try:
            member.delete(kinds.find(obj), metadata["name"], namespace=metadata.get("namespace", ""))
        except NotFoundError:
            continue


def clear_copies(hub: KubeClient, member: RestClient, federation: str, services: str) -> None:
    """Delete or release (``services``: delete or keep) the copies in a member that the federation no longer knows.

    Nothing else does, because its process has no access there; copies that were adopted are always released.
    """
    ours, label = uid(hub), f"{FEDERATION_LABEL}={federation}"
    views = [service_copy(obj) for obj in member.list(SERVICES, label_selector=label).items]
    views += [namespace_copy(obj) for obj in member.list(NAMESPACES, label_selector=label).items]
    wanted = WantedCopies(federation, ours, leave=services)
    writer = CopyWriter(member, federation, ours, lambda: "")
    for step in plan(wanted, {view.id: view for view in views}, first_look=False).steps:
        writer.run(step)


def wait_gone(member: KubeClient, federation: str, timeout: float) -> bool:
    """Wait until the federation's namespace is gone there; whether it is."""
    namespace = tokens.member_namespace(federation)
    return bool(poll_until(lambda: _absent(member, NAMESPACES, namespace), timeout=timeout))


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
    gone, ending = _absent(member_api, NAMESPACES, namespace), _ending(member_api, namespace)
    out.append(
        (gone or ending, f"the namespace {namespace} is {'gone' if gone or not ending else 'being removed'} there")
    )
    opened = member_api.list(NAMESPACES, label_selector=f"{FEDERATION_LABEL}={federation}").items
    out.append((not opened, "no namespace there is open to the federation"))
    left = [name for name in member_objects.policy_names(federation) if not _absent(member_api, POLICIES, name)]
    out.append(
        (not left, f"{plural(len(member_objects.policy_names(federation)), 'policy', 'policies')} are gone there")
    )
    return out


def left_behind(federation: str, addresses: Sequence[str], led: Sequence[str] = ()) -> list[str]:
    """What stays of a member that was abandoned, one line each. ``led``: names that lead there."""
    names = [f"the public names {and_more(led)}, which still lead to it: rancherctl federation dns diff"] if led else []
    apart = f"its addresses {', '.join(addresses)}, which no name leads to any more"
    return [
        *names,
        f"its copies, with the label {FEDERATION_LABEL}={federation}",
        f"the namespace {tokens.member_namespace(federation)} with the accounts and the Secret session",
        f"the admission policies {', '.join(member_objects.policy_names(federation))}",
        *([apart] if addresses and not led else []),
    ]


def _absent(client: KubeClient, resource: Resource, name: str, namespace: str = "") -> bool:
    try:
        client.get(resource, name, namespace=namespace)
    except NotFoundError:
        return True
    return False


def _ending(client: KubeClient, namespace: str) -> bool:
    """Whether a namespace is gone, or about to be: its content is removed first, which takes some seconds."""
    try:
        found = client.get(NAMESPACES, namespace)
    except NotFoundError:
        return True
    return bool(found["metadata"].get("deletionTimestamp"))

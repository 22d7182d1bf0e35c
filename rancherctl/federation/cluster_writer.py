"""ClusterWriter: the status and the finalizer of a member's Cluster, written where they differ from what is there."""

from __future__ import annotations

import logging
from collections.abc import Callable

from rancherctl.contract import FEDERATION_CONTROLLER, LEAVE_FINALIZER
from rancherctl.federation.apis import HubApi
from rancherctl.federation.cluster import CLUSTERS, Cluster, Connection, MemberStatus, status_body
from rancherctl.federation.conditions import SERVING, SYNCED, Condition
from rancherctl.federation.plan import REFUSED, State, counts, unfinished
from rancherctl.federation.shards import Member
from rancherctl.kube.client import Json
from rancherctl.text import and_more, plural

log = logging.getLogger(__name__)


class ClusterWriter:
    """``uid`` is the federation's; ``now`` gives RFC 3339 times."""

    def __init__(self, api: HubApi, uid: str, now: Callable[[], str]) -> None:
        self._api, self._uid, self._now = api, uid, now

    def write(self, found: Cluster, member: Member, connection: Connection, serving: Condition) -> None:
        """Bring one Cluster up to date. Errors pass through; a ConflictError means that it has changed meanwhile."""
        name = found.meta.name
        if found.meta.deleting:
            if member.leave and found.guarded and member.view.reachable and self._left(member):
                self._metadata(found, {"finalizers": [f for f in found.finalizers if f != LEAVE_FINALIZER]})
                log.info("member %s has left", name)
                return
        elif not found.guarded:
            self._metadata(found, {"finalizers": [*found.finalizers, LEAVE_FINALIZER]})
            return
        if found.suspended:
            serving = Condition(SERVING, "False", "Drained", "rancherctl federation undrain ends this")
        status = MemberStatus(
            connection,
            member.topology.place.region or "",
            member.topology.zones,
            counts(member.view.states),
            _synced(member),
            serving,
            member.topology.problems,
        )
        body = status_body(found, status, self._now())
        if body is not None:
            self._api.apply(CLUSTERS, body, manager=FEDERATION_CONTROLLER, subresource="status")

    def _left(self, member: Member) -> bool:
        return not any(copy.federation_uid == self._uid for copy in member.view.copies.values())

    def _metadata(self, found: Cluster, change: Json) -> None:
        body = {"metadata": {"resourceVersion": found.meta.resource_version, **change}}
        self._api.patch(CLUSTERS, found.meta.name, body)


def _synced(member: Member) -> Condition:
    """The condition Synced: what is not as the federation wants it, worst first."""
    view = member.view
    if not view.known:
        return Condition(SYNCED, "Unknown", "NotSeen")
    if view.held:
        why = (
            f"{plural(len(view.held), 'copy', 'copies')} would go without having been deleted "
            f"({and_more([str(i) for i in sorted(view.held)], shown=20)}): "
            f"rancherctl federation sync --force {member.name} carries it out"
        )
        return Condition(SYNCED, "False", "Held", why)
    rest = unfinished(view.states)
    wrong = {i: s for i, s in rest.items() if s.state in REFUSED}
    if wrong:
        first = min(wrong)
        listed = and_more([str(i) for i in sorted(wrong)])
        reason = "MemberTooOld" if all(s.reason == "MemberTooOld" for s in wrong.values()) else "Conflicts"
        return Condition(SYNCED, "False", reason, f"{listed}: {wrong[first].why}")
    if view.trouble:
        return Condition(SYNCED, "False", "Failing", view.trouble)
    waiting = sum(s.state is State.PENDING for s in rest.values())
    if waiting:
        return Condition(SYNCED, "False", "Pending", f"{plural(waiting, 'copy', 'copies')} not written yet")
    return Condition(SYNCED, "True", "InSync")

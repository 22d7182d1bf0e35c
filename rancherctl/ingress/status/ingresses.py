"""Statuses of Ingresses: translate, merge and place them, then plan. Pure but for a cache."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.ingress.copies import certificates_digest
from rancherctl.ingress.model import HASH_SCHEME, Translated
from rancherctl.ingress.options import DEFAULT_PORTS
from rancherctl.ingress.role import desired
from rancherctl.ingress.status.memory import StatusMemory
from rancherctl.ingress.status.plan import Published, Statuses, StatusRequest, Stored, plan_statuses
from rancherctl.ingress.status.report import HostReport
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.ingress.translate.latest import Latest
from rancherctl.kube.objects import Ingress, IngressClass
from rancherctl.placement.model import ObjectProblem, Roster
from rancherctl.placement.place import Placement


def stored_statuses(ingresses: Mapping[str, Ingress]) -> dict[str, Stored]:
    """The status of each Ingress as it is in the API."""
    return {
        key: Stored(
            i.meta.uid,
            Published(i.status, i.meta.annotations.get(STATUS_ANNOTATION, ""), i.status_ports),
            i.status_says_more,
        )
        for key, i in ingresses.items()
    }


def _requests(
    translated: Mapping[str, Translated],
    placements: Mapping[str, Placement],
    problems: Mapping[str, tuple[ObjectProblem, ...]],
    needed: Mapping[str, frozenset[str]],
    secrets: Mapping[str, str],
) -> dict[str, StatusRequest]:
    """``needed``: secrets by key of the Ingress."""
    return {
        key: StatusRequest(
            t.for_placement,
            placements[key],
            (*t.problems, *problems.get(key, ())),
            certificates_digest(needed.get(key, ()), secrets) if t.tls else "",
            t.for_placement.ports if t.ports != DEFAULT_PORTS else (),
        )
        for key, t in translated.items()
    }


class IngressStatusMemory:
    """What one decision leaves for the next one, to save time: most Ingresses and reports stay as they are."""

    def __init__(self) -> None:
        self.stored, self.requests = Latest(stored_statuses), Latest(_requests)
        self.plan = StatusMemory[Published]()


def ingress_statuses(
    ingresses: Mapping[str, Ingress],
    classes: Mapping[str, IngressClass],
    roster: Roster,
    reports: Mapping[str, HostReport],
    *,
    stored: Mapping[str, Stored],
    since: Mapping[str, float],
    now: float,
    managed: Collection[str] = (),
    cache: TranslationCache | None = None,
    secrets: Mapping[str, str] | None = None,
    memory: IngressStatusMemory | None = None,
) -> Statuses:
    """Desired statuses of all Ingresses.

    ``stored`` is ``stored_statuses(ingresses)``, ``secrets`` are contents of TLS secrets by key (copies.Contents); for
    the rest see ``plan_statuses``. ``cache`` and ``memory`` are kept by the caller between calls.
    """
    cache = cache or TranslationCache()
    cluster = desired.build(desired.Tables(ingresses, classes), roster, desired.Previous(), cache, None, now)
    memory = memory or IngressStatusMemory()
    requests = memory.requests(
        cluster.translated, cluster.placements, cluster.problems, cluster.claims.secrets, secrets or {}
    )
    return plan_statuses(
        stored,
        requests,
        roster,
        reports,
        hash_scheme=HASH_SCHEME,
        since=since,
        now=now,
        managed=managed,
        memory=memory.plan,
    )

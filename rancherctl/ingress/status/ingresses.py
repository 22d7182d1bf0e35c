"""Statuses of Ingresses: translate, merge and place them, then plan. Pure but for a cache."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rancherctl.contract import STATUS_ANNOTATION
from rancherctl.ingress.copies import certificates_digest
from rancherctl.ingress.model import HASH_SCHEME
from rancherctl.ingress.options import DEFAULT_PORTS
from rancherctl.ingress.role import desired
from rancherctl.ingress.status.plan import Published, Statuses, StatusRequest, Stored, plan_statuses
from rancherctl.ingress.status.report import HostReport
from rancherctl.ingress.translate.cache import TranslationCache
from rancherctl.kube.objects import Ingress, IngressClass
from rancherctl.placement.model import Roster


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
) -> Statuses:
    """Desired statuses of all Ingresses.

    ``stored`` is ``stored_statuses(ingresses)``, ``secrets`` are contents of TLS secrets by key (copies.Contents); for
    the rest see ``plan_statuses``.
    """
    cache = cache or TranslationCache()
    cluster = desired.build(desired.Tables(ingresses, classes), roster, desired.Previous(), cache, None, now)
    shared = cluster.problems
    requests = {
        key: StatusRequest(
            t.for_placement,
            cluster.placements[key],
            (*t.problems, *shared.get(key, ())),
            certificates_digest(cluster.claims.secrets.get(key, ()), secrets or {}) if t.tls else "",
            t.for_placement.ports if t.ports != DEFAULT_PORTS else (),
        )
        for key, t in cluster.translated.items()
    }
    return plan_statuses(
        stored, requests, roster, reports, hash_scheme=HASH_SCHEME, since=since, now=now, managed=managed
    )

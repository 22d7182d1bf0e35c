"""What the command line reads from the API, made of short Ingresses and secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rancherctl.ingress.copies import certificates_digest, copied
from rancherctl.ingress.operator.api_view import ApiView
from rancherctl.ingress.operator.overview import cluster_of
from rancherctl.ingress.status.report import HostReport
from rancherctl.kube.objects import Ingress, TlsSecret
from rancherctl.placement.model import ObjectProblem, Roster
from tests.fakes import ingress as fake


def api_view(
    ingresses: Iterable[Ingress], roster: Roster | None = None, reports: Mapping[str, HostReport] | None = None
) -> ApiView:
    """These Ingresses on these hosts (default: h1)."""
    every = {i.meta.key: i for i in ingresses}
    return ApiView(every, {"rancher": fake.RANCHER}, roster or fake.roster("h1"), reports or {})


def reported(
    view: ApiView, secrets: Iterable[TlsSecret], problems: Mapping[str, tuple[ObjectProblem, ...]] | None = None
) -> ApiView:
    """The same after all hosts have confirmed what is placed on them, and these secrets; each with these problems."""
    cluster = cluster_of(view)
    contents = {s.meta.key: copied(s).content for s in secrets}
    reports = {}
    for host in view.roster.hosts:
        placed = frozenset(key for key, p in cluster.placements.items() if host.name in p.hosts)
        digests = {k: certificates_digest(cluster.claims.secrets.get(k, ()), contents) for k in placed}
        served = {k: cluster.translated[k].hash for k in placed}
        own = {k: found for k, found in (problems or {}).items() if k in placed}
        reports[host.name] = HostReport(
            served, own, placed=placed, certificates={k: d for k, d in digests.items() if d}
        )
    return ApiView(view.ingresses, view.classes, view.roster, reports)

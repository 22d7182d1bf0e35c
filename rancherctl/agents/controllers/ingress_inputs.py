"""What the controllers of Ingresses make of the tables, made once for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rancherctl.agents.host_report_reader import ReportCache, load_balancer_report
from rancherctl.agents.roster_reader import RosterReader
from rancherctl.ingress.copies import Contents
from rancherctl.ingress.status.report import HostReport
from rancherctl.ingress.translate.cache import TranslationCache


def _reports() -> ReportCache[HostReport]:
    return ReportCache(load_balancer_report)


@dataclass(slots=True)
class IngressInputs:
    """Caches of translations, rosters, load balancers' reports and contents of TLS secrets. Used by one thread.

    ``purposes``: contents of secrets for other purposes by key, as SecretCopiesController knows them.
    """

    cache: TranslationCache = field(default_factory=TranslationCache)
    reports: ReportCache[HostReport] = field(default_factory=_reports)
    roster: RosterReader = field(default_factory=RosterReader)
    contents: Contents = field(default_factory=Contents)
    purposes: Mapping[str, str] = field(default_factory=dict)

"""Annotations of one Ingress → placement and route options, and problems for invalid and unknown ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Final

from rancherctl.contract import INGRESS_PREFIX, STATUS_ANNOTATION
from rancherctl.ingress.annotations.foreign import foreign_problems
from rancherctl.ingress.annotations.ports import port_group
from rancherctl.ingress.annotations.row import AnnotationSet
from rancherctl.ingress.annotations.table import AFFINITY, GLOBAL, KNOWN
from rancherctl.ingress.options import (
    CLOSED,
    SET_ELSEWHERE,
    HttpsRedirect,
    PortGroup,
    RouteOptions,
    SiteOptions,
    TlsOptions,
)
from rancherctl.placement.model import ObjectProblem, PlacementOptions
from rancherctl.text import SHOWN, and_more, closest

PREFIXES: Final = (INGRESS_PREFIX, "io.rancher.")
"""Annotations with these prefixes are meant for this product: an unknown one is reported."""
RAW_CONFIG: Final = frozenset({"config", "io.rancher.config", f"{INGRESS_PREFIX}config"})
_ROUTE_FIELDS: Final = tuple(f.name for f in fields(RouteOptions) if f.init and f.name not in SET_ELSEWHERE)
_SITE_FIELDS: Final = tuple(f.name for f in fields(SiteOptions))
_TLS_FIELDS: Final = tuple(f.name for f in fields(TlsOptions) if f.init and f.name not in SET_ELSEWHERE)
_REDIRECT_FIELDS: Final = tuple(f.name for f in fields(HttpsRedirect) if f.init)
_RESTRICTING: Final = tuple(row for row in KNOWN if row.restricts)
_DEPENDENT: Final = tuple(row for row in KNOWN if row.needs)
_EQUIVALENTS: Final = {name: row.name for row in KNOWN for name in row.replaces}
_SHORT_NAMES: Final = {row.name.rpartition("/")[2]: row.name for row in KNOWN}
_NAMES: Final = {row.field: row.name for row in KNOWN}
_DEFAULTS: Final = {row.field: row.default for row in KNOWN}
_ROWS: Final = {name: number for number, row in enumerate(KNOWN) for name in row.names}
_EXPECTED: Final = RAW_CONFIG.union({STATUS_ANNOTATION}, _ROWS)


@dataclass(frozen=True, slots=True)
class Parsed:
    """All annotations of one Ingress. ``obstacle`` says why it cannot be placed on any host ("" = it can)."""

    placement: PlacementOptions
    obstacle: str
    route: RouteOptions
    sites: SiteOptions
    tls: TlsOptions
    ports: PortGroup
    redirect: HttpsRedirect
    problems: tuple[ObjectProblem, ...]


def parse_annotations(annotations: Mapping[str, str], published: int = 0) -> Parsed:
    """Read all annotations of one Ingress. Never raises.

    ``published`` is the number of addresses in its status.
    """
    problems: list[ObjectProblem] = []
    present = AnnotationSet(annotations, published)
    rows = [KNOWN[number] for number in sorted({_ROWS[name] for name in annotations if name in _ROWS})]
    parsed = _combined(tuple((row.field, row.read(present, problems)) for row in rows))
    problems += parsed.problems
    _report_unknown(annotations, problems)
    return replace(parsed, problems=tuple(problems)) if problems else parsed


@lru_cache(maxsize=1 << 10)
def _combined(given: tuple[tuple[str, Any], ...]) -> Parsed:
    """The options for these values by field, with problems of values that do not fit together.

    Cached: thousands of Ingresses have the same few options, and share their objects.
    """
    problems: list[ObjectProblem] = []
    values = _DEFAULTS | dict(given)
    if values["everywhere"] and "wanted" in dict(given):
        message = f"scale is ignored because {GLOBAL} is true: placed on every eligible host"
        problems.append(ObjectProblem("ScaleIgnored", message, serious=False))
    if (policy := values.pop("sticky_policy")) and not values["sticky"]:
        values |= {"sticky": True, "sticky_name": policy[0] or values["sticky_name"], "sticky_domain": policy[1]}
    if values["cors_credentials"] and "*" in values["cors_origins"]:
        values["cors_credentials"] = False
        message = "cors-credentials is ignored: with the origin *, any page could read answers with a user's cookies"
        problems.append(ObjectProblem("CorsCredentialsRefused", message))
    for row in _DEPENDENT:
        if values[row.field] != row.default and values[row.needs] == _DEFAULTS[row.needs]:
            values[row.field] = row.default
            message = f"annotation {row.name} has no effect without {_NAMES[row.needs]}"
            problems.append(ObjectProblem(f"{row.title}Unused", message, serious=False))
    ports, no_port = port_group(values["http_port"], values["https_port"], values["allow_http"], problems)
    affinity = values["affinity"]
    closed = any(values[row.field] is None for row in _RESTRICTING)
    return Parsed(
        PlacementOptions(0 if values["everywhere"] else values["wanted"], affinity or ()),
        f"its annotation {AFFINITY} is invalid" if affinity is None else no_port,
        CLOSED if closed else RouteOptions(**{name: values[name] for name in _ROUTE_FIELDS}),
        SiteOptions(**{name: values[name] for name in _SITE_FIELDS}),
        TlsOptions(**{name: values[name] for name in _TLS_FIELDS}),
        ports,
        HttpsRedirect(**{name: values[name] for name in _REDIRECT_FIELDS}),
        tuple(problems),
    )


def _report_unknown(annotations: Mapping[str, str], problems: list[ObjectProblem]) -> None:
    if raw := sorted(RAW_CONFIG.intersection(annotations)):
        message = f"annotation {raw[0]}: raw HAProxy snippets are not supported; use {INGRESS_PREFIX}… annotations"
        problems.append(ObjectProblem("RawConfigRefused", message))
    unknown = sorted([k for k in annotations if k.startswith(PREFIXES) and k not in _EXPECTED])
    if unknown:
        shown = [_with_suggestion(name) for name in unknown[:SHOWN]] + unknown[SHOWN:]
        message = f"unknown annotation{'s' if len(unknown) > 1 else ''}, ignored: {and_more(shown)}"
        meant = {_meant(name) for name in unknown[:SHOWN]}
        # A mistyped access list leaves the Ingress open.
        serious = any(row.name in meant for row in _RESTRICTING)
        problems.append(ObjectProblem("UnknownAnnotation", message, serious=serious))
    problems += foreign_problems(annotations, _EQUIVALENTS)


def _meant(name: str) -> str:
    """The known name that looks most like an unknown one, "" if none does."""
    return _SHORT_NAMES.get(closest(name.rpartition("/")[2][:100], _SHORT_NAMES, cutoff=0.75), "")


def _with_suggestion(name: str) -> str:
    return f"{name} (did you mean {meant}?)" if (meant := _meant(name)) else name

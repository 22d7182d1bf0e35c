"""Annotations of one Ingress → placement and route options, and problems for invalid and unknown ones. Pure.

``KNOWN`` lists all of them. To support another one, add a row and a golden case in tests/data/ingress/annotations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from rancherctl.contract import INGRESS_PREFIX, SCALE_ANNOTATION, STATUS_ANNOTATION
from rancherctl.ingress.annotations.foreign import foreign_problems
from rancherctl.ingress.annotations.status_annotation import read_status
from rancherctl.ingress.model import NO_OPTIONS, Protocol, RouteOptions
from rancherctl.names import is_label_key, is_label_value
from rancherctl.placement.model import ObjectProblem, PlacementOptions
from rancherctl.text import and_more, quoted

SCALE: Final = "scale"
"""The short spelling of SCALE_ANNOTATION."""
AFFINITY: Final = "io.rancher.scheduler.affinity.host_label"
GLOBAL: Final = "io.rancher.scheduler.global"
READ_TIMEOUT: Final = f"{INGRESS_PREFIX}timeout-read"
BACKEND_PROTOCOL: Final = f"{INGRESS_PREFIX}backend-protocol"
LEGACY_CLASS: Final = "kubernetes.io/ingress.class"

PREFIXES: Final = (INGRESS_PREFIX, "io.rancher.")
"""Annotations with these prefixes are meant for this product: an unknown one is reported."""
RAW_CONFIG: Final = frozenset({"config", "io.rancher.config", f"{INGRESS_PREFIX}config"})
MAX_SCALE: Final = 10_000
MAX_DURATION: Final = 24 * 3_600_000
_MILLISECONDS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(r"(?P<number>[1-9][0-9]{0,8})(?P<unit>ms|s|m|h)")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class AnnotationSet:
    """What replacing an invalid value may use: all annotations and the number of published addresses."""

    annotations: Mapping[str, str]
    published: int


@dataclass(frozen=True, slots=True)
class Annotation:
    """One known annotation.

    ``parse`` turns the text into the value of ``field`` or raises ValueError with the reason. ``default`` applies
    without the annotation. For an invalid text, ``fallback`` gives the value to use and says so in words. ``title``
    makes the reasons of problems. ``replaces`` are names of other controllers' annotations, after their domain.
    """

    field: str
    title: str
    name: str
    parse: Callable[[str], Any]
    default: Any
    fallback: Callable[[AnnotationSet], tuple[Any, str]]
    aliases: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All spellings, the preferred one first."""
        return (self.name, *self.aliases)

    def read(self, present: AnnotationSet, problems: list[ObjectProblem]) -> Any:
        """The value for one Ingress that has the annotation; adds to ``problems``."""
        given = [name for name in self.names if name in present.annotations]
        text = present.annotations[given[0]]
        for other in given[1:]:
            if present.annotations[other].strip() != text.strip():
                message = f"annotations {given[0]} and {other} differ; using {given[0]}"
                problems.append(ObjectProblem(f"{self.title}Conflict", message, serious=False))
        try:
            return self.parse(text.strip())
        except ValueError as error:
            value, consequence = self.fallback(present)
            problems.append(ObjectProblem(f"Invalid{self.title}", f"annotation {given[0]}: {error}; {consequence}"))
            return value


def _parse_scale(text: str) -> int:
    if _NUMBER.fullmatch(text) and int(text) <= MAX_SCALE:
        return int(text)
    raise ValueError(f"{quoted(text, 30)} is not an integer from 1 to {MAX_SCALE}")


def _last_scale(present: AnnotationSet) -> tuple[int, str]:
    """The last valid scale from the status annotation; if that is missing, the number of addresses."""
    # `kubectl replace` drops annotations that are not in its file.
    wanted = read_status(present.annotations).get("wanted")
    if not (isinstance(wanted, int) and not isinstance(wanted, bool) and 1 <= wanted <= MAX_SCALE):
        wanted = max(1, present.published)
    return wanted, f"still using {wanted}"


def _parse_labels(text: str) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for part in text.split(",") if text else ():
        key, separator, value = part.strip().partition("=")
        if not separator or not is_label_key(key) or not is_label_value(value):
            raise ValueError(f"{quoted(part.strip())} is not a label in the form KEY=VALUE")
        found.append((key, value))
    return tuple(sorted(found))


def _parse_duration(text: str) -> int:
    """Milliseconds."""
    found = _DURATION.fullmatch(text)
    duration = int(found["number"]) * _MILLISECONDS[found["unit"]] if found else 0
    if not 0 < duration <= MAX_DURATION:
        raise ValueError(f"{quoted(text, 30)} is not a duration from 1ms to 24h, such as 90s or 5m")
    return duration


def _parse_protocol(text: str) -> Protocol:
    known: tuple[Protocol, ...] = ("http", "h2c", "https", "grpc", "grpcs")
    for protocol in known:
        if text.lower() == protocol:
            return protocol
    raise ValueError(f"{quoted(text, 30)} is not one of {', '.join(known)}")


def _parse_bool(text: str) -> bool:
    value = {"": False, "false": False, "true": True}.get(text.lower())
    if value is None:
        raise ValueError(f"{quoted(text, 30)} is neither true nor false")
    return value


KNOWN: Final = (
    Annotation("wanted", "Scale", SCALE_ANNOTATION, _parse_scale, 1, _last_scale, aliases=(SCALE,)),
    Annotation(
        "affinity",
        "Affinity",
        AFFINITY,
        _parse_labels,
        (),
        # Placing it on any host would show it where it must not be.
        lambda _: (None, "not placed on any host until this is fixed"),
    ),
    Annotation("everywhere", "Global", GLOBAL, _parse_bool, False, lambda _: (False, "using false")),
    Annotation(
        "read_timeout",
        "ReadTimeout",
        READ_TIMEOUT,
        _parse_duration,
        NO_OPTIONS.read_timeout,
        lambda _: (NO_OPTIONS.read_timeout, "using the default"),
        replaces=("proxy-read-timeout", "timeout-server"),
    ),
    Annotation(
        "protocol",
        "BackendProtocol",
        BACKEND_PROTOCOL,
        _parse_protocol,
        NO_OPTIONS.protocol,
        lambda _: (NO_OPTIONS.protocol, "using what the Service port says"),
        replaces=("backend-protocol", "secure-backends", "server-ssl"),
    ),
)
_EQUIVALENTS: Final = {name: row.name for row in KNOWN for name in row.replaces}
_DEFAULTS: Final = {row.field: row.default for row in KNOWN}
_ROWS: Final = tuple((row, frozenset(row.names)) for row in KNOWN)
_EXPECTED: Final = RAW_CONFIG.union({STATUS_ANNOTATION}, *(names for _, names in _ROWS))
# Thousands of Ingresses have the same few options: they share one object.
_placement_options = lru_cache(maxsize=1 << 10)(PlacementOptions)
_route_options = lru_cache(maxsize=1 << 10)(RouteOptions)


@dataclass(frozen=True, slots=True)
class Parsed:
    """All annotations of one Ingress. ``obstacle`` says why it cannot be placed on any host ("" = it can)."""

    placement: PlacementOptions
    obstacle: str
    route: RouteOptions
    problems: tuple[ObjectProblem, ...]


def parse_annotations(annotations: Mapping[str, str], published: int = 0) -> Parsed:
    """Read all annotations of one Ingress. Never raises.

    ``published`` is the number of addresses in its status.
    """
    problems: list[ObjectProblem] = []
    present = AnnotationSet(annotations, published)
    values = dict(_DEFAULTS)
    for row, names in _ROWS:
        if not names.isdisjoint(annotations):
            values[row.field] = row.read(present, problems)
    if values["everywhere"] and (SCALE in annotations or SCALE_ANNOTATION in annotations):
        message = f"scale is ignored because {GLOBAL} is true: placed on every eligible host"
        problems.append(ObjectProblem("ScaleIgnored", message, serious=False))
    _report_unknown(annotations, problems)
    affinity = values["affinity"]
    return Parsed(
        _placement_options(0 if values["everywhere"] else values["wanted"], affinity or ()),
        f"its annotation {AFFINITY} is invalid" if affinity is None else "",
        _route_options(read_timeout=values["read_timeout"], protocol=values["protocol"]),
        tuple(problems),
    )


def _report_unknown(annotations: Mapping[str, str], problems: list[ObjectProblem]) -> None:
    if raw := sorted(RAW_CONFIG.intersection(annotations)):
        message = f"annotation {raw[0]}: raw HAProxy snippets are not supported; use {INGRESS_PREFIX}… annotations"
        problems.append(ObjectProblem("RawConfigRefused", message))
    unknown = sorted([k for k in annotations if k.startswith(PREFIXES) and k not in _EXPECTED])
    if unknown:
        message = f"unknown annotation{'s' if len(unknown) > 1 else ''}, ignored: {and_more(unknown)}"
        problems.append(ObjectProblem("UnknownAnnotation", message, serious=False))
    problems += foreign_problems(annotations, _EQUIVALENTS)

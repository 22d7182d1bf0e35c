"""The table of all annotations: name, parser, default, and what people read about them. Pure.

``KNOWN`` lists them. Documentation is generated from it, and tests run every row through golden cases, a real HAProxy
and a corpus of injections: see CONTRIBUTING, "Add an annotation of an Ingress".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.contract import INGRESS_PREFIX, SCALE_ANNOTATION
from rancherctl.ingress.annotations import values
from rancherctl.ingress.annotations.status_annotation import read_status
from rancherctl.ingress.options import NO_OPTIONS
from rancherctl.placement.model import ObjectProblem

SCALE: Final = "scale"
"""The short spelling of SCALE_ANNOTATION."""
AFFINITY: Final = "io.rancher.scheduler.affinity.host_label"
GLOBAL: Final = "io.rancher.scheduler.global"
READ_TIMEOUT: Final = f"{INGRESS_PREFIX}timeout-read"
MAX_SCALE: Final = 10_000


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

    ``allowed`` and ``effect`` are for people: the values, and what they do.
    """

    field: str
    title: str
    name: str
    parse: Callable[[str], Any]
    default: Any
    fallback: Callable[[AnnotationSet], tuple[Any, str]]
    allowed: str
    effect: str
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


def _last_scale(present: AnnotationSet) -> tuple[int, str]:
    """The last valid scale from the status annotation; if that is missing, the number of addresses."""
    # `kubectl replace` drops annotations that are not in its file.
    wanted = read_status(present.annotations).get("wanted")
    if not (isinstance(wanted, int) and not isinstance(wanted, bool) and 1 <= wanted <= MAX_SCALE):
        wanted = max(1, present.published)
    return wanted, f"still using {wanted}"


def _option(
    field: str,
    name: str,
    parse: Callable[[str], Any],
    allowed: str,
    effect: str,
    *,
    title: str = "",
    invalid: str = "using the default",
    replaces: tuple[str, ...] = (),
) -> Annotation:
    """A row for the option ``field`` of routes. An invalid text gives the default."""
    default = getattr(NO_OPTIONS, field)
    title = title or "".join(word.capitalize() for word in name.split("-"))
    name = f"{INGRESS_PREFIX}{name}"
    return Annotation(field, title, name, parse, default, lambda _: (default, invalid), allowed, effect, (), replaces)


PLACEMENT: Final = (
    Annotation(
        "wanted",
        "Scale",
        SCALE_ANNOTATION,
        values.integer(1, MAX_SCALE),
        1,
        _last_scale,
        f"1 to {MAX_SCALE}; default 1",
        "number of load-balancer hosts that serve the Ingress; may also be spelled scale",
        aliases=(SCALE,),
    ),
    Annotation(
        "affinity",
        "Affinity",
        AFFINITY,
        values.labels,
        (),
        # Placing it on any host would show it where it must not be.
        lambda _: (None, "not placed on any host until this is fixed"),
        "KEY=VALUE,...",
        "only hosts whose Nodes have all these labels",
    ),
    Annotation(
        "everywhere",
        "Global",
        GLOBAL,
        values.boolean,
        False,
        lambda _: (False, "using false"),
        "true, false",
        "every load-balancer host, whatever scale says",
    ),
)
DURATION: Final = "1ms to 24h"
TRAFFIC: Final = (
    _option(
        "read_timeout",
        "timeout-read",
        values.duration,
        f"{DURATION}; default 5m",
        "how long a server may send nothing during a request: raise it for long polls and silent streams",
        title="ReadTimeout",
        replaces=("proxy-read-timeout", "timeout-server"),
    ),
    _option(
        "tunnel_timeout",
        "timeout-tunnel",
        values.duration,
        f"{DURATION}; default 1h",
        "how long an upgraded connection (WebSocket) may be silent",
        replaces=("timeout-tunnel",),
    ),
    _option(
        "body_size",
        "body-size",
        values.size,
        "bytes, or with k, m or g; default 0 (no limit)",
        "requests with a larger Content-Length get 413; chunked bodies are not measured",
        replaces=("proxy-body-size", "client-max-body-size"),
    ),
    _option(
        "protocol",
        "backend-protocol",
        values.one_of("http", "h2c", "https", "grpc", "grpcs"),
        "http, h2c, https, grpc, grpcs",
        "how services are spoken to; without it, appProtocol of the Service port decides. "
        "Certificates of services are not verified",
        invalid="using what the Service port says",
        replaces=("backend-protocol", "secure-backends", "server-ssl"),
    ),
)
KNOWN: Final = (*PLACEMENT, *TRAFFIC)

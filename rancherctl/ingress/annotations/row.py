"""A row of the table of annotations: name, parser, default, and what people read about it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.options import (
    AS_ENVIRONMENT,
    NO_OPTIONS,
    NO_TLS_OPTIONS,
    HttpsRedirect,
    RouteOptions,
    SiteOptions,
    TlsOptions,
)
from rancherctl.placement.model import ObjectProblem


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

    ``restricts``: it decides who gets an answer. ``needs`` is a field without which it has no effect.

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
    restricts: bool = False
    needs: str = ""
    replaces: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All spellings, the preferred one first."""
        return (self.name, *self.aliases)

    @property
    def description(self) -> str:
        """What it does, and its other spellings."""
        return self.effect + (f"; also spelled {', '.join(self.aliases)}" if self.aliases else "")

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


def option(
    field: str,
    name: str,
    parse: Callable[[str], Any],
    allowed: str,
    effect: str,
    *,
    of: RouteOptions | SiteOptions | TlsOptions | HttpsRedirect = NO_OPTIONS,
    title: str = "",
    invalid: str = "using the default",
    restricts: bool = False,
    needs: str = "",
    aliases: tuple[str, ...] = (),
    replaces: tuple[str, ...] = (),
) -> Annotation:
    """A row for the option ``field`` of routes. An invalid text gives the default.

    ``restricts``: it decides who gets an answer; then an invalid text gives None, which closes the routes.
    """
    default = getattr(of, field)
    instead = (None, "requests are answered with 503 until this is fixed") if restricts else (default, invalid)
    title = title or "".join(word.capitalize() for word in name.split("-"))
    return Annotation(
        field,
        title,
        f"{INGRESS_PREFIX}{name}",
        parse,
        default,
        lambda _: instead,
        allowed,
        effect,
        aliases=aliases,
        restricts=restricts,
        needs=needs,
        replaces=replaces,
    )


site_option = partial(option, of=SiteOptions())
"""A row for a field of ``SiteOptions``."""
tls_option = partial(option, of=NO_TLS_OPTIONS)
"""A row for a field of ``TlsOptions``."""
redirect_option = partial(option, of=AS_ENVIRONMENT)
"""A row for a field of ``HttpsRedirect``."""

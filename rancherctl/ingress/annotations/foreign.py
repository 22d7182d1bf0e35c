"""Annotations of other ingress controllers: reported, never applied. Pure.

Ignoring them silently is dangerous where they restrict access: an Ingress that was moved here would be open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from rancherctl.placement.model import ObjectProblem
from rancherctl.text import and_more

_DOMAINS: Final = re.compile(
    r"(?:[a-z0-9-]+\.)?ingress\.kubernetes\.io|nginx\.(?:org|com)|traefik\.(?:io|[a-z0-9-]+\.io)|haproxy\.(?:org|com)"
    r"|haproxy-ingress\.github\.io|konghq\.com"
)
_RESTRICTS: Final = re.compile(
    r"(?:basic-)?auth(?:-|$)|oauth(?:-|$)|jwt-|(?:white|allow|deny|black)-?list|inbound-cidrs|security-groups|client-ca"
    r"|mutual-authentication|satisfy$|(?:enable-(?:owasp-)?)?modsecurity|waf|router\.(?:middlewares|tls\.options)"
    r"|policies$|plugins$"
)
"""Names, after the domain, of annotations that may decide who gets an answer."""


def foreign_problems(annotations: Iterable[str], equivalents: Mapping[str, str]) -> list[ObjectProblem]:
    """At most two problems: those that may restrict access (serious), and the others.

    ``equivalents`` maps names after the domain to annotations of this product.
    """
    restricting: list[str] = []
    others: list[str] = []
    for annotation in sorted(annotations):
        domain, slash, name = annotation.partition("/")
        if slash and _DOMAINS.fullmatch(domain):
            (restricting if _RESTRICTS.match(name) else others).append(annotation)
    out: list[ObjectProblem] = []
    if restricting:
        message = (
            f"annotations of other ingress controllers that restrict access are not applied: {and_more(restricting)}"
        )
        out.append(ObjectProblem("ForeignAnnotation", message + _hint(restricting, equivalents)))
    if others:
        message = f"annotations of other ingress controllers, ignored: {and_more(others)}"
        out.append(ObjectProblem("ForeignAnnotation", message + _hint(others, equivalents), serious=False))
    return out


def _hint(annotations: Iterable[str], equivalents: Mapping[str, str]) -> str:
    replaced = [f"{new} replaces {old}" for old in annotations if (new := equivalents.get(old.partition("/")[2]))]
    return f" ({and_more(replaced)})" if replaced else ""

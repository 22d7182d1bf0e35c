"""Which members get a federated object: its selector over the labels of Clusters. Pure.

The annotation ``federation.rancherctl.io/cluster-selector`` has the syntax of ``kubectl -l``; the JSON annotation of
Federation v1 (a list of key, operator, values) is read, too. Without either, every member gets the object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from rancherctl.contract import FEDERATION_PREFIX
from rancherctl.names import is_label_key, is_label_value
from rancherctl.text import quoted

T = TypeVar("T")
SELECTOR: Final = f"{FEDERATION_PREFIX}cluster-selector"
V1_SELECTOR: Final = "federation.alpha.kubernetes.io/cluster-selector"
"""Annotation of Federation v1: ``[{"key": "env", "operator": "in", "values": ["prod"]}]``."""

_SET: Final = re.compile(r"(?P<key>\S+)\s+(?P<verb>in|notin)\s*\(\s*(?P<values>[^()]*)\)")
_EQUAL: Final = re.compile(r"(?P<key>[^\s=!]+)\s*(?P<verb>==|=|!=)\s*(?P<value>[^\s=!]*)")
_PARTS: Final = re.compile(r",(?![^(]*\))")
_V1_VERBS: Final = {"in", "notin", "exists", "doesnotexist", "=", "==", "!="}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label. ``verb``: ``in``, ``notin``, ``exists`` or ``absent``."""

    key: str
    verb: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy it. A label that is missing is not in any set (as for kubectl)."""
        if self.verb == "exists":
            return self.key in labels
        if self.verb == "absent":
            return self.key not in labels
        return (labels.get(self.key) in self.values) == (self.verb == "in")


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a member with these labels is selected."""
        return all(requirement.holds(labels) for requirement in self.requirements)


def selector_of(annotations: Mapping[str, str]) -> Selector:
    """The selector of an object with these annotations; ValueError with one line for people if it does not parse."""
    if (text := annotations.get(SELECTOR)) is not None:
        return parse(text)
    if (text := annotations.get(V1_SELECTOR)) is not None:
        return parse_v1(text)
    return Selector()


def parse(text: str) -> Selector:
    """A selector in the syntax of ``kubectl -l``; ValueError names all parts that do not parse."""
    if not text.strip():
        return Selector()
    return Selector(_each(_requirement, [part.strip() for part in _PARTS.split(text)]))


def _each(read: Callable[[T], Requirement], parts: Iterable[T]) -> tuple[Requirement, ...]:
    """All requirements, or one ValueError with all that is wrong."""
    found, wrong = list[Requirement](), list[str]()
    for part in parts:
        try:
            found.append(read(part))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))
    return tuple(found)


def _requirement(part: str) -> Requirement:
    if found := _SET.fullmatch(part):
        values = [value.strip() for value in found["values"].split(",")]
        return _checked(found["key"], found["verb"], values, part)
    if found := _EQUAL.fullmatch(part):
        return _checked(found["key"], "notin" if found["verb"] == "!=" else "in", [found["value"]], part)
    if part.startswith("!"):
        return _checked(part[1:].strip(), "absent", [], part)
    return _checked(part, "exists", [], part)


def _checked(key: str, verb: str, values: list[str], part: str) -> Requirement:
    if not is_label_key(key):
        raise ValueError(f"{quoted(part)} is not a valid label selector")
    wrong = [value for value in values if not is_label_value(value)]
    if wrong:
        valid = "is not a valid label value" if len(wrong) == 1 else "are not valid label values"
        raise ValueError(f"{', '.join(map(quoted, wrong))} in {quoted(part)} {valid}")
    return Requirement(key, verb, frozenset(values))


def parse_v1(text: str) -> Selector:
    """The JSON selector of Federation v1; ValueError if it does not parse."""
    try:
        parsed = json.loads(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a JSON list of requirements") from None
    if not isinstance(parsed, list):
        raise ValueError(f"{quoted(text)} is not a JSON list of requirements")  # noqa: TRY004 - what a user wrote
    return Selector(_each(_v1_requirement, parsed))


def _v1_requirement(entry: object) -> Requirement:
    part = json.dumps(entry)
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str):
        raise ValueError(f"{quoted(part)} has no key")  # noqa: TRY004 - what a user wrote
    verb, values = str(entry.get("operator", "")).lower(), entry.get("values") or []
    if verb not in _V1_VERBS or not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise ValueError(f"{quoted(part)}: operator must be in, notin, exists or doesNotExist, values a list of texts")
    if verb in ("in", "notin", "=", "==", "!=") and not values:
        raise ValueError(f"{quoted(part)} has no values")
    name = {"exists": "exists", "doesnotexist": "absent", "notin": "notin", "!=": "notin"}.get(verb, "in")
    return _checked(entry["key"], name, values, part)

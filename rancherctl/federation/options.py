"""What the annotations of a federated object ask for. Pure.

An annotation that cannot be read keeps its default and is reported; the object travels all the same. A selector that
cannot be read keeps the object where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.contract import FEDERATION_PREFIX
from rancherctl.federation.placement import SELECTOR, V1_SELECTOR, Selector, selector_of
from rancherctl.names import is_dns_name
from rancherctl.text import closest, quoted

ADOPT: Final = f"{FEDERATION_PREFIX}adopt"
HOSTNAME: Final = f"{FEDERATION_PREFIX}hostname"
PRIORITY: Final = f"{FEDERATION_PREFIX}priority"
WHEN_NONE: Final = f"{FEDERATION_PREFIX}when-none"
HEALTH_CHECK: Final = f"{FEDERATION_PREFIX}health-check"
STAY: Final = f"{FEDERATION_PREFIX}stay"
V1_STAY: Final = "federation.kubernetes.io/federation-control-plane"
STATUS: Final = f"{FEDERATION_PREFIX}status"
ADOPT_VALUES: Final = ("never", "if-equal", "always")
WHEN_NONE_VALUES: Final = ("keep", "remove")
_KNOWN: Final = frozenset({ADOPT, HOSTNAME, PRIORITY, WHEN_NONE, HEALTH_CHECK, STAY, STATUS, SELECTOR})


@dataclass(frozen=True, slots=True)
class Options:
    """``selector`` is None if it cannot be read: the object stays in the members where it is.

    ``stay``: the object belongs to the federation's own API and goes to no member. ``problems``: one line each.
    """

    selector: Selector | None = field(default_factory=Selector)
    stay: bool = False
    adopt: str = "if-equal"
    hostnames: tuple[str, ...] = ()
    priority: Mapping[str, int] | None = None
    when_none: str = ""
    health_check: str | None = None
    problems: tuple[str, ...] = ()


def parse(annotations: Mapping[str, str]) -> Options:
    """The options in an object's annotations."""
    problems: list[str] = []
    try:
        selector: Selector | None = selector_of(annotations)
    except ValueError as error:
        name = SELECTOR if SELECTOR in annotations else V1_SELECTOR
        selector = None
        problems.append(f"{name}: {error}; the object stays in the members where it is")
    choice = _Choices(annotations, problems)
    problems += [
        f"{key}: unknown annotation, ignored{_meant(key)}"
        for key in sorted(annotations)
        if key.startswith(FEDERATION_PREFIX) and key not in _KNOWN
    ]
    return Options(
        selector=selector,
        stay=any(annotations.get(key) == "true" for key in (STAY, V1_STAY)),
        adopt=choice.one_of(ADOPT, ADOPT_VALUES, "if-equal"),
        hostnames=choice.hostnames(),
        priority=choice.priority(),
        when_none=choice.one_of(WHEN_NONE, WHEN_NONE_VALUES, ""),
        health_check=choice.health_check(),
        problems=tuple(problems),
    )


def _meant(key: str) -> str:
    near = closest(key, _KNOWN - {STATUS}, cutoff=0.8)
    return f' (did you mean "{near}"?)' if near else ""


@dataclass(slots=True)
class _Choices:
    annotations: Mapping[str, str]
    problems: list[str]

    def one_of(self, key: str, values: tuple[str, ...], default: str) -> str:
        text = self.annotations.get(key)
        if text is None or text in values:
            return text or default
        self.problems.append(f"{key}: {quoted(text)} is not one of {', '.join(values)}")
        return default

    def hostnames(self) -> tuple[str, ...]:
        out: list[str] = []
        for name in (part.strip().rstrip(".").lower() for part in self.annotations.get(HOSTNAME, "").split(",")):
            if not name:
                continue
            if is_dns_name(name.removeprefix("*.")):
                out.append(name)
            else:
                self.problems.append(f"{HOSTNAME}: {quoted(name)} is not a valid DNS name")
        return tuple(dict.fromkeys(out))

    def priority(self) -> Mapping[str, int] | None:
        text = self.annotations.get(PRIORITY)
        if text is None:
            return None
        out: dict[str, int] = {}
        for part in text.split(","):
            member, equals, rank = (piece.strip() for piece in part.partition("="))
            if not (member and equals and rank.isdecimal() and 0 < int(rank) < 1000):
                self.problems.append(f'{PRIORITY}: {quoted(text)} is not of the form "frankfurt=1,paris=2"')
                return None
            out[member] = int(rank)
        return out

    def health_check(self) -> str | None:
        text = self.annotations.get(HEALTH_CHECK)
        if text is None or text == "tcp" or (text.startswith("http:/") and text.isprintable() and " " not in text):
            return text
        self.problems.append(f"{HEALTH_CHECK}: {quoted(text)} is neither tcp nor http:/PATH")
        return None

"""How options of routes reach HAProxy: as values in maps, or as the text of a named ``defaults`` section. Pure.

A value is looked up by the name of the pool, so it changes while HAProxy runs. Text is read when a process starts:
pools with the same text share a *profile*, and spare pools of each profile in use take the next routes that need it.

Pools without options have the profile ``plain``, which has no rules and costs a request nothing. All others look up
every value, so that setting another one needs no reload. HAProxy does not let a section with rules be inherited from,
nor be shared by a front end and a backend: each profile is written in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from rancherctl.ingress.haproxy.responses import TOO_LARGE
from rancherctl.ingress.options import NO_OPTIONS, RouteOptions
from rancherctl.text import short_digest

BASE: Final = "base"
"""The ``defaults`` section of front ends and plain pools."""
Kind = Literal["plain", "values"]
MapPath = Callable[[str], str]
"""The file of a map by its name."""


@dataclass(frozen=True, slots=True)
class Value:
    """A map from pools to values of the option ``field``. ``lines`` get the map's file and use the value."""

    map: str
    field: str
    lines: Callable[[str], tuple[str, ...]]

    def of(self, options: RouteOptions) -> str:
        """The pool's entry; "" for the default, which has none."""
        value = getattr(options, self.field)
        return "" if value == getattr(NO_OPTIONS, self.field) else str(value)


def _timeout(which: str, default: int) -> Callable[[str], tuple[str, ...]]:
    return lambda file: (
        f"http-request set-var(txn.value) be_name,map_str_int({file},{default})",
        f"http-request set-timeout {which} var(txn.value)",
    )


VALUES: Final = (
    Value("timeout-read", "read_timeout", _timeout("server", NO_OPTIONS.read_timeout)),
    Value("timeout-tunnel", "tunnel_timeout", _timeout("tunnel", NO_OPTIONS.tunnel_timeout)),
    Value(
        "body-size",
        "body_size",
        lambda file: (
            f"http-request set-var(txn.value) be_name,map_str_int({file},{(1 << 63) - 1})",
            f"http-request return {TOO_LARGE.arguments} if {{ req.hdr(content-length),sub(txn.value) gt 0 }}",
        ),
    ),
)
VALUE_MAPS: Final = tuple(value.map for value in VALUES)
_VALUE_FIELDS: Final = {value.field: getattr(NO_OPTIONS, value.field) for value in VALUES}


@dataclass(frozen=True, slots=True)
class Profile:
    """What pools have in common that only a reload can give them. ``text`` are the options that are not values."""

    kind: Kind
    text: RouteOptions = NO_OPTIONS

    @property
    def name(self) -> str:
        """The name of its ``defaults`` section."""
        if self.kind == "plain":
            return BASE
        return self.kind if not self.text.changed else f"{self.kind}-{short_digest(repr(self.text.changed))}"


PLAIN: Final = Profile("plain")
ALWAYS: Final = (Profile("values"),)
"""Profiles that every process has, so that the first Ingress with such options needs no reload."""


@lru_cache(maxsize=1 << 14)
def profile_of(options: RouteOptions) -> Profile:
    """The profile of a pool with these options."""
    if not options.changed:
        return PLAIN
    return Profile("values", replace(options, **_VALUE_FIELDS))


def values_of(options: RouteOptions) -> Mapping[str, str]:
    """Entries of a pool with these options, by map."""
    if not options.changed:
        return {}
    return {value.map: text for value in VALUES if (text := value.of(options))}


def section(profile: Profile, path: MapPath) -> str:
    """The ``defaults`` section of a profile; "" for the plain one."""
    if profile.kind == "plain":
        return ""
    lines = [line for value in VALUES for line in value.lines(path(value.map))]
    return f"\ndefaults {profile.name} from {BASE}\n" + "".join(f"  {line}\n" for line in lines)

"""How options of routes reach HAProxy: as values in maps, or as the text of a named ``defaults`` section. Pure.

A value is looked up by the name of the pool, so it changes while HAProxy runs. Text is read when a process starts:
pools with the same text share a *profile*, and spare pools of each profile in use take the next routes that need it.

Pools without options have the profile ``plain``, which has no rules and costs a request nothing. All others look up
every value, so that setting another one needs no reload. HAProxy does not let a section with rules be inherited from,
nor be shared by a front end and a backend: each profile is written in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal

from rancherctl.ingress.haproxy import access_log, profile_text
from rancherctl.ingress.haproxy.client_certificates import POOL_MAP, pool_lines
from rancherctl.ingress.haproxy.responses import REDIRECTS, TOO_LARGE
from rancherctl.ingress.haproxy.secured import hsts_lines
from rancherctl.ingress.options import NO_OPTIONS, RouteOptions
from rancherctl.text import short_digest

BASE: Final = "base"
"""The ``defaults`` section of front ends and plain pools."""
Kind = Literal["plain", "values", "redirect"]
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
            f"http-request deny {TOO_LARGE.arguments} if {{ req.hdr(content-length),sub(txn.value) gt 0 }}",
        ),
    ),
)
ACCESS_LOG: Final = Value("access-log", "access_log", lambda _: ())
"""Only front ends and access_log.pool_lines use it."""
REDIRECT_MAP: Final = "redirect"
"""STATUS|url|URL, or STATUS|host|NAME to keep scheme and path. A bar is in no URL."""
VALUE_MAPS: Final = (*(value.map for value in (*VALUES, ACCESS_LOG)), REDIRECT_MAP, POOL_MAP)
CLIENTS: Final = ("client_ca", "client_verify", "client_policy")
"""Options about certificates of clients: what a pool needs is a value, whether it also redirects or not."""
_TEXT: Final = {
    name: getattr(NO_OPTIONS, name) for name in (*(value.field for value in (*VALUES, ACCESS_LOG)), *CLIENTS, "target")
}
"""Replacements that leave only the options that are text; ``target`` decides about servers."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What pools have in common that only a reload can give them. ``text`` are the options that are not values."""

    kind: Kind
    text: RouteOptions = NO_OPTIONS
    name: str = field(init=False, compare=False)
    """The name of its ``defaults`` section."""

    def __post_init__(self) -> None:
        own = self.kind if not self.text.changed else f"{self.kind}-{short_digest(repr(self.text.changed))}"
        object.__setattr__(self, "name", BASE if self.kind == "plain" else own)

    def __hash__(self) -> int:
        return hash(self.name)  # cheap: every change collects those of thousands of pools


PLAIN: Final = Profile("plain")
ALWAYS: Final = (Profile("redirect"), Profile("values"))
"""Profiles that every process has, so that the first Ingress with such options needs no reload."""


@lru_cache(maxsize=1 << 14)
def profile_of(options: RouteOptions) -> Profile:
    """The profile of a pool with these options."""
    if not options.changed:
        return PLAIN
    if options.redirect:
        text = RouteOptions(allow_source=options.allow_source, deny_source=options.deny_source, hsts=options.hsts)
        return Profile("redirect", text)
    return Profile("values", replace(options, **_TEXT))


def values_of(options: RouteOptions) -> Mapping[str, str]:
    """Entries of a pool with these options, by map."""
    clients = {POOL_MAP: options.client_policy} if options.client_policy else {}
    if options.redirect:
        kind = "host" if options.redirect.startswith("//") else "url"
        log = {ACCESS_LOG.map: text} if (text := ACCESS_LOG.of(options)) else {}
        target = f"{options.redirect_code}|{kind}|{options.redirect.removeprefix('//')}"
        return {**clients, **log, REDIRECT_MAP: target}
    return clients | {value.map: text for value in (*VALUES, ACCESS_LOG) if (text := value.of(options))}


def section(profile: Profile, path: MapPath, *, log_all: bool = False) -> str:
    """The ``defaults`` section of a profile; "" for the plain one. ``log_all``: whether any pool logs all requests."""
    if profile.kind == "plain":
        return ""
    lines = access_log.pool_lines(path(ACCESS_LOG.map), answers=profile.kind == "redirect") if log_all else []
    lines += [*profile_text.source_lines(profile.text), *pool_lines(path)]
    if profile.kind == "redirect":
        lines += _redirect_lines(path(REDIRECT_MAP))
    else:
        lines += profile_text.lines(profile.text)
        lines += [line for value in VALUES for line in value.lines(path(value.map))]
    # First: it is also for answers that later lines give.
    lines[:0] = hsts_lines(profile.text.hsts, path)
    return f"\ndefaults {profile.name} from {BASE}\n" + "".join(f"  {line}\n" for line in lines)


def _redirect_lines(file: str) -> list[str]:
    location = "req.hdr(x-forwarded-proto),concat(://,txn.location),concat(,txn.pathq)"
    return [
        f"http-request set-var(txn.to) be_name,map_str({file})",
        "http-request set-var(txn.location) var(txn.to),field(3,|)",
        "http-request set-var(txn.pathq) pathq",
        f"http-request set-var(txn.location) {location} if {{ var(txn.to),field(2,|) host }}",
        *(
            f'http-request return {own.arguments} hdr Location "%[var(txn.location)]" '
            f"if {{ var(txn.to) -m beg {own.status}| }}"
            for own in REDIRECTS
        ),
    ]

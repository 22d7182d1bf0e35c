"""Parsers of annotation values: from the stripped text to a typed value. Pure.

Each raises ValueError with one line that says what is allowed. Whatever they return is safe in HAProxy's configuration
and on its socket: numbers, or words without quotes, blanks, control characters and HAProxy's own special characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Final

from rancherctl.names import is_dns_name, is_label_key, is_label_value
from rancherctl.net import canonical_ip, is_ip, parse_port, split_host_port
from rancherctl.text import quoted

MAX_DURATION: Final = 24 * 3_600_000
MAX_SIZE: Final = 1 << 40
_MILLISECONDS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_BYTES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DURATION = re.compile(r"(?P<number>[1-9][0-9]{0,8})(?P<unit>ms|s|m|h)")
_SIZE = re.compile(r"(?P<number>[1-9][0-9]{0,12})(?P<unit>[kmg]?)", re.IGNORECASE)
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]+)(?P<rest>[A-Za-z0-9._~!$&()*+,=:@/?#%-]*)")
_PATH = re.compile(r"/[A-Za-z0-9._~!$&()*+,=:@/?#%-]*")
_ORIGIN = re.compile(r"https?://(?P<host>(?:\*\.)?[a-z0-9.-]+)(?P<port>:[1-9][0-9]{0,4})?")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_COOKIE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_STATUS = re.compile(r"[1-5][0-9]{2}(?:-[1-5][0-9]{2})?")
MAX_NETWORKS: Final = 500
MAX_NAMES: Final = 20
MAX_URL: Final = 1000
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def integer(least: int, most: int) -> Callable[[str], int]:
    """A parser of integers in a range."""

    def parse(text: str) -> int:
        if _NUMBER.fullmatch(text) and least <= int(text) <= most:
            return int(text)
        raise ValueError(f"{quoted(text, 30)} is not an integer from {least} to {most}")

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of fixed words, in any case."""

    def parse(text: str) -> str:
        if text.lower() in words:
            return text.lower()
        raise ValueError(f"{quoted(text, 30)} is not one of {', '.join(words)}")

    return parse


def duration(text: str) -> int:
    """Milliseconds."""
    found = _DURATION.fullmatch(text)
    value = int(found["number"]) * _MILLISECONDS[found["unit"]] if found else 0
    if not 0 < value <= MAX_DURATION:
        raise ValueError(f"{quoted(text, 30)} is not a duration from 1ms to 24h, such as 90s or 5m")
    return value


def size(text: str) -> int:
    """Bytes; 0 means without a limit."""
    found = _SIZE.fullmatch(text)
    value = int(found["number"]) * _BYTES[found["unit"].lower()] if found else 0
    if text != "0" and not 0 < value <= MAX_SIZE:
        raise ValueError(f"{quoted(text, 30)} is not a size up to 1024g, such as 512k or 100m, and not 0 (unlimited)")
    return value


def boolean(text: str) -> bool:
    """``true`` or ``false``, in any case; the empty text is false."""
    value = {"": False, "false": False, "true": True}.get(text.lower())
    if value is None:
        raise ValueError(f"{quoted(text, 30)} is neither true nor false")
    return value


def labels(text: str) -> tuple[tuple[str, str], ...]:
    """Labels ``KEY=VALUE,…``, sorted."""
    found: list[tuple[str, str]] = []
    for part in text.split(",") if text else ():
        key, separator, value = part.strip().partition("=")
        if not separator or not is_label_key(key) or not is_label_value(value):
            raise ValueError(f"{quoted(part.strip())} is not a label in the form KEY=VALUE")
        found.append((key, value))
    return tuple(sorted(found))


def _words(text: str, what: str, most: int) -> list[str]:
    """The words of a list, separated by commas or blanks; at least one, at most ``most``, each once."""
    found = list(dict.fromkeys(text.replace(",", " ").split()))
    if not 0 < len(found) <= most:
        raise ValueError(f"the list has {len(found) or 'no'} {what}; 1 to {most} are allowed")
    return found


def networks(text: str) -> tuple[str, ...]:
    """Networks and addresses, in CIDR notation."""
    return tuple(_network(word) for word in _words(text, "networks", MAX_NETWORKS))


def _network(word: str) -> str:
    address, slash, _ = word.partition("/")
    try:
        # ip_network takes scopes such as fe80::1%x, is_ip does not.
        return str(ip_network(word if slash and is_ip(address) else canonical_ip(address), strict=False))
    except ValueError as error:
        raise ValueError(f"{quoted(word)} is not an IP address or network, such as 192.0.2.0/24") from error


def names(text: str) -> tuple[str, ...]:
    """DNS names in lower case; each may start with ``*.``."""
    out = tuple(word.lower() for word in _words(text, "names", MAX_NAMES))
    for name in out:
        if not is_dns_name(name.removeprefix("*.")):
            raise ValueError(f"{quoted(name)} is not a DNS name")
    return out


def secret_name(text: str) -> str:
    """The name of a Secret in the namespace of the Ingress."""
    if not is_dns_name(text):
        raise ValueError(f"{quoted(text)} is not the name of a Secret in the Ingress's own namespace")
    return text


def url(text: str) -> str:
    """An absolute http or https URL."""
    found = _URL.fullmatch(text) if len(text) <= MAX_URL else None
    host, port = split_host_port(found["authority"]) if found else ("", None)
    if not (is_dns_name(host.lower()) or is_ip(host)) or (port is not None and parse_port(port) is None):
        raise ValueError(f"{quoted(text)} is not a URL such as https://example.org/x, of at most {MAX_URL} characters")
    return text


def path_to(text: str) -> str:
    """An absolute path other than ``/``, to redirect to."""
    if not _PATH.fullmatch(text) or text == "/" or text.startswith("//") or len(text) > MAX_URL:
        raise ValueError(f"{quoted(text)} is not a path such as /app of at most {MAX_URL} characters; / is not allowed")
    return text


def origins(text: str) -> tuple[str, ...]:
    """Origins as browsers send them; a host may start with ``*.``, and ``*`` alone is any origin."""
    out = tuple(word.lower() for word in _words(text, "origins", MAX_NAMES))
    for word in out:
        found = _ORIGIN.fullmatch(word)
        if word != "*" and not (found and is_dns_name(found["host"].removeprefix("*."))):
            raise ValueError(
                f"{quoted(word)} is not an origin such as https://app.example.org, https://*.example.org or *"
            )
    return out


def methods(text: str) -> tuple[str, ...]:
    """HTTP methods."""
    return tuple(one_of(*_METHODS)(word.lower()).upper() for word in _words(text, "methods", len(_METHODS)))


_METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")


def headers(text: str) -> tuple[str, ...]:
    """Names of headers."""
    return tuple(_matching(_HEADER, word, "header name") for word in _words(text, "headers", 50))


def balance_method(text: str) -> str:
    """How to choose a server; the default is ""."""
    kind, colon, name = text.partition(":")
    if kind.lower() == "hdr" and colon:
        return f"hdr:{_matching(_HEADER, name, 'header name').lower()}"
    chosen = one_of("roundrobin", "leastconn", "source", "uri", "hdr:name")(text)
    return "" if chosen == "roundrobin" else chosen


def cookie_name(text: str) -> str:
    """The name of a cookie."""
    return _matching(_COOKIE, text, "cookie name")


def domain(text: str) -> str:
    """The domain of a cookie, without a dot before it."""
    name = text.lower().removeprefix(".")
    if not is_dns_name(name) or "." not in name:
        raise ValueError(f"{quoted(text)} is not a domain such as example.org")
    return name


def path(text: str) -> str:
    """An absolute path without query."""
    if not _PLAIN_PATH.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a path such as /healthz")
    return text


_PLAIN_PATH: Final = re.compile(r"/[A-Za-z0-9._~!()*+,=:@/-]{0,255}")


def statuses(text: str) -> tuple[str, ...]:
    """HTTP statuses and ranges of them."""
    out = tuple(_matching(_STATUS, word, "status such as 200 or 200-399") for word in _words(text, "statuses", 20))
    for word in out:
        first, _, last = word.partition("-")
        if last and last < first:
            raise ValueError(f"{quoted(word)} is not a range of statuses")
    return out


def _matching(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a valid {what}")
    return text


def seconds(text: str) -> int:
    """A duration in whole seconds, at least one."""
    value = duration(text)
    if value % 1000:
        raise ValueError(f"{quoted(text, 30)} is not a duration in whole seconds, such as 90s or 5m")
    return value // 1000


def hsts(text: str) -> tuple[str, ...]:
    """Directives of Strict-Transport-Security (RFC 6797): ``max-age=SECONDS``, ``includeSubDomains``, ``preload``."""
    words = [word.strip() for word in text.removesuffix(";").split(";")]
    ages = [age[1] for word in words if (age := _MAX_AGE.fullmatch(word))]
    flags = [name for name in _HSTS_FLAGS if name.lower() in map(str.lower, words)]
    if len(ages) != 1 or len(words) != 1 + len(flags):
        raise ValueError(f"{quoted(text)} is not in the form max-age=SECONDS; {'; '.join(_HSTS_FLAGS)}")
    return (f"max-age={ages[0]}", *flags)


_MAX_AGE: Final = re.compile(r"max-age=(0|[1-9][0-9]{0,9})", re.IGNORECASE)
_HSTS_FLAGS: Final = ("includeSubDomains", "preload")


def sticky_policy(text: str) -> tuple[str, str]:
    """Rancher 1.6's stickiness policy, lines ``KEY: VALUE``: name and domain of the cookie, "" = not given."""
    given: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key, colon, value = line.partition(":")
        if not colon or key.strip() not in _POLICY_KEYS:
            raise ValueError(f"{quoted(line)} is not one of the lines {', '.join(_POLICY_KEYS)} in the form KEY: VALUE")
        given[key.strip()] = value.strip().strip("'\"")
    name = given.get("cookie") or given.get("name") or ""
    if not name:
        raise ValueError("it has no line name: or cookie:")
    return cookie_name(name), domain(given["domain"]) if given.get("domain") else ""


_POLICY_KEYS: Final = ("name", "cookie", "domain", "mode", "indirect", "nocache", "postonly")
"""The last four are always as Rancher's defaults, whatever their lines say."""

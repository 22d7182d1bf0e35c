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

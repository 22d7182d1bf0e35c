"""Which host names, paths and labels are taken from users: everything that reaches HAProxy passes here first. Pure.

Paths keep RFC 3986's path characters except ``;`` (it separates commands on HAProxy's socket) and percent codes that would hide a
control character, a slash, a dot or a backslash. Each function returns the value to use, or raises ValueError with one line why.
"""

from __future__ import annotations

import re
from urllib.parse import quote

MAX_PATH = 1024
MAX_HOST = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!&'()*+,=:@/$-]|%[0-9A-Fa-f]{2})*")
_HIDDEN = re.compile(r"%(?:[01][0-9A-F]|2E|2F|3B|5C|7F)", re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_PORT_NAME = re.compile(r"[a-z0-9-]{1,63}")
_LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")


def shown(text: str, limit: int = 60) -> str:
    """``text`` fit for a one-line message: escaped, shortened."""
    return ascii(text if len(text) <= limit else text[:limit] + "…")


def host(text: str) -> str:
    """A rule's host in lower case; ``""`` (any host) becomes ``*``."""
    if not text:
        return "*"
    name = text.lower()
    labels = name.removeprefix("*.").split(".")
    if len(name) > MAX_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(
            f"host {shown(text)} is not a DNS name (letters, digits and hyphens in labels of at most 63, a leading *. is allowed)"
        )
    return name


def path(text: str) -> str:
    """A rule's path."""
    if len(text) > MAX_PATH:
        raise ValueError(f"path {shown(text, 30)} has {len(text)} characters, at most {MAX_PATH} are allowed")
    if not text.startswith("/"):
        raise ValueError(f"path {shown(text)} does not start with a slash")
    if not _PATH.fullmatch(text):
        bad = next(
            (
                c
                for i, c in enumerate(text)
                if not _PATH.fullmatch("/" + c) and not (c == "%" and re.match(r"%[0-9A-Fa-f]{2}", text[i:]))
            ),
            "",
        )
        coded = f"; requests bring it as {quote(bad)}" if bad == " " or (bad > "~" and bad.isprintable()) else ""
        raise ValueError(f"path {shown(text)} contains {bad!a}, which is not allowed in a path{coded}")
    if hidden := _HIDDEN.search(text):
        raise ValueError(
            f"path {shown(text)} contains the percent code {hidden.group()}, which is not allowed in a path"
        )
    if "//" in text or any(part in {".", ".."} for part in text.split("/")):
        raise ValueError(f"path {shown(text)} has empty, . or .. parts, which no request can match reliably")
    return text


def name(text: str, what: str) -> str:
    """An object's name (DNS subdomain)."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"{what} {shown(text)} is not a valid name")
    return text


def port_name(text: str) -> str:
    """A Service port's name."""
    if not _PORT_NAME.fullmatch(text):
        raise ValueError(f"port name {shown(text)} is not a valid port name")
    return text


def label(text: str) -> tuple[str, str]:
    """``key=value`` of a host label."""
    key, separator, value = text.strip().partition("=")
    if not separator or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
        raise ValueError(f"{shown(text)} is not a label of the form key=value")
    return key, value

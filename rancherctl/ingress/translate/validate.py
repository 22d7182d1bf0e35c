"""Check host names, paths and names from users before they reach HAProxy. Pure.

A path may contain RFC 3986's path characters except ``;``, which separates commands on HAProxy's socket, and except
percent codes that hide a control character, a slash, a dot or a backslash. Each function returns the value to use, or
raises ValueError with a one-line reason.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from rancherctl.names import MAX_NAME, is_dns_name
from rancherctl.text import quoted

MAX_PATH: Final = 1024
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!&'()*+,=:@/$-]|%[0-9A-Fa-f]{2})*")
_HIDDEN = re.compile(r"%(?:[01][0-9A-F]|2E|2F|3B|5C|7F)", re.IGNORECASE)
_PATTERN = re.compile(r"\*(?:/|$)|\.\*")
_PORT_NAME = re.compile(r"[a-z0-9-]{1,63}")


def host(text: str) -> str:
    """A rule's host in lower case; ``""`` (any host) becomes ``*``."""
    if not text:
        return "*"
    name = text.lower()
    if len(name) > MAX_NAME or not is_dns_name(name.removeprefix("*.")):
        raise ValueError(
            f"host {quoted(text)} is not a DNS name (labels of letters, digits and hyphens; may start with *.)"
        )
    return name


def path(text: str) -> str:
    """A rule's path."""
    if len(text) > MAX_PATH:
        raise ValueError(f"path {quoted(text, 30)} has {len(text)} characters; the limit is {MAX_PATH}")
    if not text.startswith("/"):
        raise ValueError(f"path {quoted(text)} does not start with a slash")
    if not _PATH.fullmatch(text):
        raise ValueError(f"path {quoted(text)} contains {_bad_character(text)}")
    if hidden := _HIDDEN.search(text):
        raise ValueError(
            f"path {quoted(text)} contains the percent code {hidden.group()}, which is not allowed in a path"
        )
    if "//" in text or any(part in {".", ".."} for part in text.split("/")):
        raise ValueError(
            f"path {quoted(text)} has empty, . or .. elements, which clients and proxies change in requests"
        )
    return text


def pattern_meant(path: str) -> str:
    """What a valid path that looks like a pattern was probably meant to be; "" for other paths.

    Ingress paths have no patterns: an asterisk matches itself only.
    """
    if not _PATTERN.search(path):
        return ""
    parent = path.removesuffix("*").removesuffix(".").removesuffix("/") or "/"
    if path.endswith(("/*", "/.*")) and "*" not in parent:
        return f"for everything below, use path {parent} with pathType Prefix"
    return "paths have no patterns: list each path, or use pathType Prefix"


def _bad_character(text: str) -> str:
    """The first character that is not allowed, and how to write it if requests contain it in another form."""
    allowed = _PATH.match(text)
    bad = text[allowed.end()] if allowed else text[0]
    if bad == " " or (bad > "~" and bad.isprintable()):
        return f"{bad!a}, which is not allowed in a path; write it as {quote(bad)}"
    return f"{bad!a}, which is not allowed in a path"


def name(text: str, what: str) -> str:
    """The name of an object, a DNS name. ``what`` is for the message."""
    if not is_dns_name(text):
        raise ValueError(f"{what} {quoted(text)} is not a valid name")
    return text


def port_name(text: str) -> str:
    """The name of a Service port."""
    if not _PORT_NAME.fullmatch(text):
        raise ValueError(f"port name {quoted(text)} is not a valid port name")
    return text

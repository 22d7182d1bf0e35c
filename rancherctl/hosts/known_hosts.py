"""Check a host key by the rules of OpenSSH's known_hosts files; names the file and line that decided. Pure."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_MARKERS = ("@revoked", "@cert-authority")


@dataclass(frozen=True, slots=True)
class KnownHostsLine:
    """A line that matches the host.

    File and line number, key type, key (base64), and its marker: whether it revokes the key, or names an authority
    that certifies host keys.
    """

    file: str
    line: int
    key_type: str
    key: str
    revoked: bool = False
    authority: bool = False


@dataclass(frozen=True, slots=True)
class HostKeyCheck:
    """Result of a check.

    ``answer``: ``known``, ``unknown`` (no line for the host), ``changed`` (only lines with other keys) or ``revoked``;
    ``entry`` is the line that decided.
    """

    answer: Literal["known", "unknown", "changed", "revoked"]
    entry: KnownHostsLine | None = None


def lookup_name(host: str, port: int) -> str:
    """The name of a host in known_hosts: ``host``, or ``[host]:port`` if the port is not 22."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def hashed_name(name: str, salt: bytes) -> str:
    """The name of a host as a line with HashKnownHosts has it."""
    # SHA-1 is part of the file format
    digest = hmac.new(salt, name.encode(), "sha1").digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def entries(texts: Iterable[tuple[str, str]], names: Iterable[str]) -> tuple[KnownHostsLine, ...]:
    """The lines that match any of ``names`` in known_hosts texts, given as (path, content)."""
    wanted = tuple(names)
    found = []
    for path, text in texts:
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            marker = words.pop(0) if words and words[0].startswith("@") else ""
            if len(words) < 3 or words[0].startswith("#") or marker not in ("", *_MARKERS):
                continue
            if any(_matches(words[0], name) for name in wanted):
                revoked, authority = (marker == known for known in _MARKERS)
                found.append(KnownHostsLine(path, number, words[1], words[2], revoked, authority))
    return tuple(found)


def check_key(about: Iterable[KnownHostsLine], key_type: str, key: str) -> HostKeyCheck:
    """Check the key that a server presented against the lines for it."""
    lines = tuple(about)
    same = [entry for entry in lines if (entry.key_type, entry.key) == (key_type, key) and not entry.authority]
    for entry in same:
        if entry.revoked:
            return HostKeyCheck("revoked", entry)
    if same:
        return HostKeyCheck("known", same[0])
    others = [entry for entry in lines if not entry.revoked and not entry.authority]
    if not others:
        return HostKeyCheck("unknown")
    others.sort(key=lambda entry: entry.key_type != key_type)
    return HostKeyCheck("changed", others[0])


def fingerprint(key: str) -> str:
    """``SHA256:…`` of a base64 key, as ssh-keygen prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).decode().rstrip("=")


def _matches(patterns: str, name: str) -> bool:
    if patterns.startswith("|1|"):
        return _hashed(patterns, name)
    hit = False
    for pattern in patterns.lower().split(","):
        if pattern.startswith("!") and _glob(pattern[1:], name):
            return False
        hit = hit or (not pattern.startswith("!") and _glob(pattern, name))
    return hit


def _glob(pattern: str, name: str) -> bool:
    # known_hosts patterns know only * and ? and ignore case; a bracket is part of "[host]:port"
    return fnmatch.fnmatchcase(name.lower(), pattern.replace("[", "[[]"))


def _hashed(pattern: str, name: str) -> bool:
    try:
        salt = base64.b64decode(pattern.split("|")[2])
        return hmac.compare_digest(hashed_name(name, salt), pattern)
    except (ValueError, binascii.Error, IndexError, TypeError):
        return False

"""Is this the host's key? The rules of OpenSSH's known_hosts files, with the file and line that decided. Pure."""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that is about the host: where it stands, key type, key (base64), and whether it revokes the key."""

    file: str
    line: int
    key_type: str
    key: str
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """``known``, ``unknown`` (no line about the host), ``changed`` (lines, but none with this key) or ``revoked``; ``entry`` is the line."""

    answer: Literal["known", "unknown", "changed", "revoked"]
    entry: Entry | None = None


def lookup_name(host: str, port: int) -> str:
    """The name under which a host is kept: ``host``, or ``[host]:port`` when the port is not 22."""
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"


def entries(texts: Iterable[tuple[str, str]], names: Iterable[str]) -> tuple[Entry, ...]:
    """The lines about any of ``names`` in known_hosts texts given as (path, content). Certificate authorities are not used."""
    wanted = tuple(names)
    found = []
    for path, text in texts:
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            marker = words.pop(0) if words and words[0].startswith("@") else ""
            if len(words) < 3 or words[0].startswith("#") or marker == "@cert-authority":
                continue
            if any(_matches(words[0], name) for name in wanted):
                found.append(Entry(path, number, words[1], words[2], marker == "@revoked"))
    return tuple(found)


def judge(about: Iterable[Entry], key_type: str, key: str) -> Verdict:
    """The verdict on a key that a server has shown."""
    lines = tuple(about)
    same = [entry for entry in lines if (entry.key_type, entry.key) == (key_type, key)]
    for entry in same:
        if entry.revoked:
            return Verdict("revoked", entry)
    if same:
        return Verdict("known", same[0])
    others = [entry for entry in lines if not entry.revoked]
    if not others:
        return Verdict("unknown")
    others.sort(key=lambda entry: entry.key_type != key_type)
    return Verdict("changed", others[0])


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
    # known_hosts patterns have * and ? only, in any case; a bracket is part of "[host]:port"
    return fnmatch.fnmatchcase(name.lower(), pattern.replace("[", "[[]"))


def _hashed(pattern: str, name: str) -> bool:
    try:
        _, _, salt, digest = pattern.split("|")
        expected = base64.b64decode(digest)
        # SHA-1 is the format's own choice
        return hmac.compare_digest(hmac.new(base64.b64decode(salt), name.encode(), "sha1").digest(), expected)
    except (ValueError, binascii.Error):
        return False

"""Check a host's key against known_hosts files, and store a key that the user accepted."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rancherctl.errors import AuthError
from rancherctl.hosts.known_hosts import (
    KnownHostsLine,
    check_key,
    entries,
    fingerprint,
    hashed_name,
    lookup_name,
)
from rancherctl.hosts.prompts import HostKeyQuestion

__all__ = [
    "AcceptedKeys",
    "HostKeyRules",
    "Strict",
    "accepted_warning",
    "can_store",
    "changed_error",
    "changed_warning",
    "check",
    "end_last_line",
    "known",
    "lookup_name",
    "preferred",
    "revoked_error",
    "unknown_error",
]

Strict = Literal["yes", "ask", "accept-new", "no"]

_ASKING = threading.Lock()
_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


def known(files: Iterable[str], names: Iterable[str]) -> tuple[KnownHostsLine, ...]:
    """The lines for a host in the files that exist.

    AuthError if a file cannot be read (its lines are unknown, not absent).
    """
    texts = []
    for name in files:
        path = Path(name).expanduser()
        try:
            texts.append((str(path), path.read_text(encoding="utf-8", errors="replace")))
        except (FileNotFoundError, IsADirectoryError):
            continue
        except OSError as error:
            raise AuthError(
                f"cannot read {path}", why=error.strerror or str(error), hint="host keys cannot be checked without it"
            ) from error
    return entries(texts, names)


def preferred(
    offered: Sequence[str], about: Iterable[KnownHostsLine], certificates: Sequence[str] = ()
) -> tuple[str, ...]:
    """Key algorithms with those known for the host first.

    A server with several keys then presents one that can be checked. ``certificates`` are the algorithms of host
    certificates, used if an authority is known for the host.
    """
    lines = tuple(about)
    keys = [line for line in lines if not line.authority]
    kinds = {algorithm for entry in keys for algorithm in (_RSA if entry.key_type == "ssh-rsa" else (entry.key_type,))}
    ordered = sorted(offered, key=lambda algorithm: algorithm not in kinds)
    return (*(certificates if any(line.authority for line in lines) else ()), *ordered)


class AcceptedKeys:
    """Keys that were accepted in this run without being stored. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, KnownHostsLine] = {}

    def add(self, name: str, key_type: str, key: str) -> None:
        """Remember the key that was accepted for a name."""
        with self._lock:
            self._keys[name] = KnownHostsLine("this run", 0, key_type, key)

    def of(self, name: str) -> tuple[KnownHostsLine, ...]:
        """The key accepted for a name, as a line that decides."""
        with self._lock:
            return (self._keys[name],) if name in self._keys else ()


@dataclass(frozen=True, slots=True)
class HostKeyRules:
    """How to handle unknown keys.

    ``strict`` is StrictHostKeyChecking, ``store`` the file for accepted keys ("" = none), ``hash_names`` whether it
    hides the names of hosts.
    """

    strict: Strict = "ask"
    store: str = ""
    hash_names: bool = False
    ask: Callable[[HostKeyQuestion], bool] | None = None
    warn: Callable[[str], None] | None = None
    accepted: AcceptedKeys = field(default_factory=AcceptedKeys)


def check(
    host: str, shown_key: tuple[str, str], about: Sequence[KnownHostsLine], rules: HostKeyRules, *, name: str
) -> bool:
    """Return if the key (type, base64) is known under ``name``, or accepted by the user or the configuration.

    An accepted key is stored as ``rules`` say. False if the key changed and StrictHostKeyChecking is ``no``: send no
    password to this host. AuthError if the key changed or was revoked (with file and line), or is unknown and not
    accepted.
    """
    key_type, key = shown_key
    found = check_key((*about, *rules.accepted.of(name)), key_type, key)
    shown = f"{key_type} {fingerprint(key)}"
    if found.answer == "known":
        return True
    if found.answer == "revoked":
        raise revoked_error(host, shown, found.entry)
    if found.answer == "changed" and found.entry is not None:
        if rules.strict == "no":
            _warn(rules, changed_warning(host, shown, found.entry))
            rules.accepted.add(name, key_type, key)
            return False
        raise changed_error(host, shown, found.entry, name)
    _accept(host, name, shown_key, rules)
    return True


def _accept(host: str, name: str, shown_key: tuple[str, str], rules: HostKeyRules) -> None:
    """Ask about an unknown key, or do what the configuration says; AuthError if it is not accepted."""
    key_type, key = shown_key
    kept = can_store(rules.store)
    with _ASKING:
        if rules.accepted.of(name):
            # another connection to the same host was first
            return
        if rules.strict in ("no", "accept-new"):
            _warn(
                rules,
                accepted_warning(host, f"{key_type} {fingerprint(key)}", rules.store if kept else "", rules.strict),
            )
        elif (
            rules.strict == "yes"
            or rules.ask is None
            or not rules.ask(HostKeyQuestion(host, name, key_type, fingerprint(key), kept))
        ):
            raise unknown_error(host, f"{key_type} {fingerprint(key)}", name, rules.strict, rules.store if kept else "")
        rules.accepted.add(name, key_type, key)
        if kept:
            try:
                shown_name = hashed_name(name, secrets.token_bytes(20)) if rules.hash_names else name
                _store(rules.store, f"{shown_name} {key_type} {key}\n")
            except OSError as error:
                _warn(rules, f"warning: cannot store the host key in {rules.store}: {error.strerror or error}")


def revoked_error(host: str, shown: str, entry: KnownHostsLine | None) -> AuthError:
    """For a key that a line revokes; ``shown`` is the key's type and fingerprint."""
    by = f", by {entry.file}:{entry.line}" if entry is not None else ""
    return AuthError(f"{host}: the host key is revoked", why=f"{shown}{by}", hint="do not connect to this host")


def changed_error(host: str, shown: str, entry: KnownHostsLine, name: str) -> AuthError:
    """For a key other than the one of ``entry``, the line under ``name``."""
    remove = f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(entry.file)}"
    return AuthError(
        f"{host}: the host key has changed",
        why=f"it presented {shown}; {entry.file}:{entry.line} has another key",
        hint=f"if the host was really reinstalled, run: {remove}",
    )


def changed_warning(host: str, shown: str, entry: KnownHostsLine) -> str:
    """For the same, where StrictHostKeyChecking is ``no``."""
    return f"warning: {host}: the host key has changed to {shown}; {entry.file}:{entry.line} has another key"


def accepted_warning(host: str, shown: str, store: str, strict: Strict) -> str:
    """For a key that the configuration accepts; ``store`` is the file that it was written to ("" = none)."""
    stored = f"stored in {store}" if store else "not stored"
    return f"warning: {host}: accepted host key {shown} without a check, {stored} (StrictHostKeyChecking {strict})"


def unknown_error(host: str, shown: str, name: str, strict: Strict, store: str) -> AuthError:
    """For a key that no file has and that was not accepted; ``store`` is the file to add it to ("" = none)."""
    address, port = name[1:].split("]:") if name.startswith("[") else (name, "22")
    command = f"ssh-keyscan -p {port} {shlex.quote(address)} >> {shlex.quote(store)}"
    ways = ["use --yes"] if strict != "yes" else []
    ways += [f"run: {command}"] if store else []
    hint = f"compare it with the host's own key, then {', or '.join(ways)}" if ways else ""
    checking = "; StrictHostKeyChecking is yes" if strict == "yes" else ""
    return AuthError(
        f"{host}: the host key is unknown",
        why=f"it presented {shown}{checking}",
        hint=hint or "set UserKnownHostsFile in your ssh configuration to a file with the host's key",
    )


def _warn(rules: HostKeyRules, line: str) -> None:
    if rules.warn is not None:
        rules.warn(line)


def can_store(file: str) -> bool:
    """Whether keys can be kept in ``file``: not in /dev/null, which configurations name to keep nothing."""
    path = Path(file).expanduser()
    return bool(file) and (path.is_file() or not path.exists())


def end_last_line(file: str) -> None:
    """Add the newline that the file's last line may lack: OpenSSH before 9.9 appends its line without a look."""
    path = Path(file).expanduser()
    with contextlib.suppress(OSError):
        # a file that cannot be written cannot be appended to by ssh, either, which says so
        if path.is_file() and not path.read_bytes().endswith(b"\n") and path.stat().st_size:
            with path.open("ab") as target:
                target.write(b"\n")


def _store(file: str, line: str) -> None:
    path = Path(file).expanduser()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = "\n" + line
        os.write(fd, line.encode())
        os.fsync(fd)
    finally:
        os.close(fd)

"""Check a host's key against known_hosts files, and store a key that the user accepted."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rancherctl.errors import AuthError
from rancherctl.hosts.known_hosts import KnownHostsLine, check_key, entries, fingerprint, lookup_name
from rancherctl.hosts.prompts import HostKeyQuestion

__all__ = ["check", "known", "lookup_name", "preferred"]

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
        except FileNotFoundError:
            continue
        except OSError as error:
            raise AuthError(
                f"cannot read {path}", why=error.strerror or str(error), hint="host keys cannot be checked without it"
            ) from error
    return entries(texts, names)


def preferred(offered: Sequence[str], about: Iterable[KnownHostsLine]) -> tuple[str, ...]:
    """Key algorithms with those known for the host first.

    A server with several keys then presents one that can be checked.
    """
    kinds = {algorithm for entry in about for algorithm in (_RSA if entry.key_type == "ssh-rsa" else (entry.key_type,))}
    return tuple(sorted(offered, key=lambda algorithm: algorithm not in kinds))


def check(
    host: str,
    shown_key: tuple[str, str],
    about: Iterable[KnownHostsLine],
    *,
    name: str,
    files: Sequence[str],
    ask: Callable[[HostKeyQuestion], bool] | None,
) -> None:
    """Return if the key (type, base64) is known under ``name``, or if the user accepts it.

    It is then added to ``files``.

    AuthError if the key changed or was revoked (with file and line), or is unknown and not accepted.
    """
    key_type, key = shown_key
    found = check_key(about, key_type, key)
    shown = f"{key_type} {fingerprint(key)}"
    if found.answer == "known":
        return
    place = f"{found.entry.file}:{found.entry.line}" if found.entry is not None else ""
    if found.answer == "changed" and found.entry is not None:
        remove = f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(found.entry.file)}"
        hint = f"if the host was really reinstalled, run: {remove}"
        raise AuthError(
            f"{host}: the host key has changed",
            why=f"it presented {shown}; {place} has another key",
            hint=hint,
        )
    if found.answer == "revoked":
        raise AuthError(
            f"{host}: the host key is revoked", why=f"{shown}, by {place}", hint="do not connect to this host"
        )
    with _ASKING:
        if ask is not None and ask(HostKeyQuestion(host, name, key_type, fingerprint(key))):
            _store(files, f"{name} {key_type} {key}\n")
            return
    first = files[0] if files else "~/.ssh/known_hosts"
    address, port = name[1:].split("]:") if name.startswith("[") else (name, "22")
    command = f"ssh-keyscan -p {port} {shlex.quote(address)} >> {first}"
    raise AuthError(
        f"{host}: the host key is unknown",
        why=f"it presented {shown}",
        hint=f"compare it with the host's own key, then use --yes, or run: {command}",
    )


def _store(files: Sequence[str], line: str) -> None:
    path = Path(files[0] if files else "~/.ssh/known_hosts").expanduser()
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

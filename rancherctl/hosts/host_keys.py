"""The check of a host's key against known_hosts files, and keeping a key that the user has accepted."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rancherctl.errors import AuthError
from rancherctl.hosts.known_hosts import Entry, entries, fingerprint, judge, lookup_name
from rancherctl.hosts.prompts import HostKeyQuestion

__all__ = ["check", "known", "lookup_name", "preferred"]

_ASKING = threading.Lock()
_RSA = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


def known(files: Iterable[str], names: Iterable[str]) -> tuple[Entry, ...]:
    """The lines about a host in the files that exist; AuthError when one cannot be read (its lines are not taken for absent)."""
    texts = []
    for name in files:
        path = Path(name).expanduser()
        try:
            texts.append((str(path), path.read_text(encoding="utf-8", errors="replace")))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise AuthError(
                f"cannot read {path}", why=error.strerror or str(error), hint="without it no host key can be checked"
            ) from error
    return entries(texts, names)


def preferred(offered: Sequence[str], about: Iterable[Entry]) -> tuple[str, ...]:
    """Key algorithms with the kinds that are known of the host first, so that a server with several keys shows one that can be checked."""
    kinds = {algorithm for entry in about for algorithm in (_RSA if entry.key_type == "ssh-rsa" else (entry.key_type,))}
    return tuple(sorted(offered, key=lambda algorithm: algorithm not in kinds))


def check(
    host: str,
    shown_key: tuple[str, str],
    about: Iterable[Entry],
    *,
    name: str,
    files: Sequence[str],
    ask: Callable[[HostKeyQuestion], bool] | None,
) -> None:
    """Return when the key (type, base64) is the host's, kept under ``name`` in ``files``.

    AuthError when it changed or was revoked (naming file and line), or is unknown and not accepted.
    """
    key_type, key = shown_key
    verdict = judge(about, key_type, key)
    shown = f"{key_type} {fingerprint(key)}"
    if verdict.answer == "known":
        return
    place = f"{verdict.entry.file}:{verdict.entry.line}" if verdict.entry is not None else ""
    if verdict.answer == "changed" and verdict.entry is not None:
        remove = f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(verdict.entry.file)}"
        hint = f"only when the host was really set up anew: {remove}"
        raise AuthError(
            f"{host}: its host key is not the known one: stopped",
            why=f"it showed {shown}; {place} has another key",
            hint=hint,
        )
    if verdict.answer == "revoked":
        raise AuthError(
            f"{host}: its host key is revoked: stopped", why=f"{shown}, by {place}", hint="do not connect to this host"
        )
    with _ASKING:
        if ask is not None and ask(HostKeyQuestion(host, name, key_type, fingerprint(key))):
            _keep(files, f"{name} {key_type} {key}\n")
            return
    first = files[0] if files else "~/.ssh/known_hosts"
    address, port = name[1:].split("]:") if name.startswith("[") else (name, "22")
    command = f"ssh-keyscan -p {port} {shlex.quote(address)} >> {first}"
    raise AuthError(
        f"{host}: its host key is not known",
        why=f"it showed {shown}",
        hint=f"compare that with the host's own key, then say --yes, or: {command}",
    )


def _keep(files: Sequence[str], line: str) -> None:
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

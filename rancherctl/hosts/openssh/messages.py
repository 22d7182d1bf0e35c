"""What OpenSSH logs (``LogLevel DEBUG1``) as facts about a login. Pure.

OpenSSH's messages are English in every locale. Lines are matched from their beginning: what a server sends appears
behind a prefix. Tried with OpenSSH 9.2; the phrases were compared with the sources of 8.0, 8.9, 9.9 and 10.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_LINE: Final = r"(?m)^"
_END: Final = r"\r?$"


def _find(pattern: str, text: str) -> re.Match[str] | None:
    last = None
    for found in re.finditer(f"{_LINE}{pattern}{_END}", text):
        last = found
    return last


@dataclass(frozen=True, slots=True)
class ServerKey:
    """A host key that the server presented: type and fingerprint."""

    key_type: str
    fingerprint: str

    def __str__(self) -> str:
        return f"{self.key_type} {self.fingerprint}"


def is_ready(log: str) -> bool:
    """Whether ssh is logged in and has created its control socket."""
    return "\ndebug1: Entering interactive session." in log


def server_key(log: str) -> ServerKey | None:
    """The key of the host (of the last one, if a ProxyCommand logs here, too)."""
    found = _find(r"debug1: Server host key: (\S+) (SHA256:\S+)", log)
    # the type of a certificate is not that of the line in known_hosts
    return ServerKey(found[1].replace("-cert-v01@openssh.com", ""), found[2]) if found else None


def is_revoked(log: str) -> bool:
    """Whether a line of known_hosts revokes the host's key."""
    return _find(r"@ +WARNING: REVOKED HOST KEY DETECTED! +@", log) is not None


def changed_place(log: str) -> tuple[str, int] | None:
    """File and line of another key of the host, if its key has changed."""
    if _find(r"@ +WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! +@", log) is None:
        return None
    found = _find(r"Offending \S+ key in (.+):(\d+)", log)
    return (found[1], int(found[2])) if found else None


def was_added(log: str) -> bool:
    """Whether an unknown key was accepted."""
    return _find(r"Warning: Permanently added .+ to the list of known hosts\.", log) is not None


def not_stored(log: str) -> str:
    """The reason why an accepted key could not be stored; "" if it was, or none was accepted."""
    found = _find(r"Failed to add the host to the list of known hosts \((.+)\)\.", log)
    return found[1] if found else ""


def certificate_problem(log: str) -> str:
    """Why the host's certificate was not accepted; "" if it was, or has none."""
    found = _find(r"Certificate invalid: (.+)", log)
    return found[1].strip() if found else ""


def key_refused(log: str) -> bool:
    """Whether ssh ended because of the host's key."""
    return _find(r"Host key verification failed\.", log) is not None


def offers(log: str) -> tuple[str, str] | None:
    """What no algorithm in common was found for, and the server's offer."""
    found = _find(r"Unable to negotiate with .+?: no matching (.+?) found\. Their offer: (.*?)", log)
    if found is None:
        return None
    names = [name for name in found[2].split(",") if not name.startswith(("ext-info-", "kex-strict-"))]
    return found[1].removesuffix(" method"), ", ".join(names)


def denied(log: str) -> str:
    """The line that says that the login was refused; "" if it was not."""
    found = _find(r"(.+@.+: Permission denied \(.*\)\.|(?:Received d|D)isconnect(?:ed)? from .+: Too many .+)", log)
    return found[1] if found else ""


def was_cut(log: str) -> bool:
    """Whether the server closed the connection: after an attempt to log in, it refuses more of them."""
    return _find(r"Connection (?:closed|reset) by .+ port \d+", log) is not None


def tried(log: str, exists: Callable[[str], bool]) -> list[str]:
    """What was offered to the server, in order: files, keys of the agent, ``password``.

    Of a private key whose public half is not known beforehand ssh logs the attempt even if the file does not exist.
    """
    out = []
    unusable = {found[1] for found in re.finditer(rf'{_LINE}Load key "(.+)": ', log)}
    for line in log.splitlines():
        if found := re.match(r"debug1: Offering public key: (.*) (\S+) SHA256:\S+(.*)$", line):
            name = found[1] + (" (certificate)" if found[2].endswith("-CERT") else "")
            held = "agent" in found[3].split()
            explicit = "explicit" in found[3].split()
            out.append(f"agent key {name}" if held and not explicit else f"{name} (agent)" if held else name)
        elif found := re.match(r"debug1: Trying private key: (.+)$", line):
            out += [found[1]] if found[1] not in unusable and exists(found[1]) else []
        elif found := re.match(r"debug1: Next authentication method: (password|keyboard-interactive|gssapi\S*)$", line):
            out.append(found[1])
    return list(dict.fromkeys(out))


def key_problems(log: str, agent: str) -> list[str]:
    """Files that could not be used, and keys that the agent (its socket's path) did not sign with."""
    out = []
    for line in log.splitlines():
        if found := re.match(r'Load key "(.+)": (.+)$', line):
            out.append(f"{found[1]} {_load_reason(found[2].strip())}")
        elif found := re.match(r'sign_and_send_pubkey: signing failed for \S+ "(.+?)"((?: from agent)?: .+)$', line):
            who = f"agent {agent}" if "agent" in found[2] else "ssh"
            out.append(f"{who} refused to sign with agent key {found[1]}")
    return list(dict.fromkeys(out))


def passphrase_was_wrong(log: str, path: str) -> bool:
    """Whether a login that failed after the passphrase of this key was entered failed because of it.

    ssh does not log that. It asks after the server has accepted the public half, or before it sends anything: then no
    answer of the server follows.
    """
    lines = [line for line in log.splitlines() if not line.startswith("debug1: read_passphrase")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith(f"debug1: Server accepts key: {path} "):
            return True
        if line == f"debug1: Trying private key: {path}":
            return not following.startswith("debug1: Authentications that can continue")
    return False


def was_dropped(log: str) -> bool:
    """Whether the connection was closed before the login began, as by a server with too many of them (MaxStartups)."""
    if server_key(log) is not None or "\ndebug1: Authenticating to " in log:
        return False
    return (
        _find(r"(?:Connection (?:closed|reset) by .+ port \d+|kex_exchange_identification: .*closed.*)", log)
        is not None
    )


def is_waiting_for_approval(log: str) -> bool:
    """Whether the last thing that ssh logged is that the server accepts a key, which must now sign."""
    lines = [line for line in log.splitlines() if line]
    return bool(lines) and lines[-1].startswith("debug1: Server accepts key:")


def connect_problem(log: str) -> str:
    """Why the host could not be connected to at all; "" if it could."""
    found = _find(r"ssh: (?:connect to host .+ port \d+: |Could not resolve hostname .+: )(.+)", log)
    return found[1].strip() if found else ""


def last_message(log: str) -> str:
    """The last line that is not a debug message; "" if there is none."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("debug")]
    return lines[-1][:300] if lines else ""


def open_failure(log: str, address: str, port: int) -> str:
    """Why the server could not open the last TCP connection to ``address:port``; "" if it did not fail."""
    target, reason = "", ""
    channels: dict[str, str] = {}
    for line in log.splitlines():
        if found := re.match(r"debug1: channel_connect_stdio_fwd:? (.+):(\d+)$", line):
            target = f"{found[1]}:{found[2]}"
        elif target and (found := re.match(r"debug1: channel (\d+): new\b.*stdio-forward", line)):
            channels[found[1]] = target
            reason = "" if target == f"{address}:{port}" else reason
            target = ""
        elif (found := re.match(r"channel (\d+): open failed: (.+)$", line)) and channels.get(
            found[1]
        ) == f"{address}:{port}":
            reason = found[2].strip()
    return reason


def _load_reason(text: str) -> str:
    if text in ("error in libcrypto", "invalid format", "unknown or unsupported key type"):
        return "is not a supported private key"
    if text == "bad permissions":
        return "can be read by other users, so ssh ignores it: run chmod 600"
    return f"cannot be used: {text}"

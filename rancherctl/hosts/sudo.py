"""Root rights over a login that is not root: the shell lines around a command, and what sudo's answers mean. Pure.

The password goes to sudo's standard input alone: it is sent when sudo asks for it, by a prompt that nobody else knows, and the command's own
input only after a marker on standard error shows that sudo has let the command start. So neither can swallow the other's bytes, and a sudo
that does not ask after all makes no command's input of it. ``-k`` makes sudo ask exactly once per command, whatever it remembers.
"""

from __future__ import annotations

import shlex
from typing import Literal

PROBE = "test $(id -u) = 0 && echo root && exit; LC_ALL=C sudo -k -n true 2>/dev/null && echo sudo || echo password"
"""Shell text whose last word is ``root`` (the login is), ``sudo`` (needs no password) or ``password``."""
_REFUSED = ("is not in the sudoers file", "is not allowed to", "may not run", "must have a tty", "unknown user")
_WRONG = ("Sorry, try again", "incorrect password", "no password was provided", "a password is required")


def without_password(line: str) -> str:
    """The command under ``sudo -n``."""
    return f"sudo -n -- sh -c {shlex.quote(line)}"


def prompt(marker: str) -> str:
    """What sudo asks with: as unknown beforehand as the marker, and without it."""
    return f"asks-{marker[::-1]}:"


def with_password(line: str, marker: str) -> str:
    """The command under ``sudo -S``; prints ``marker`` (plain letters, digits and ``-``) on standard error once it runs."""
    # in two words: a refusal repeats the command that it refuses, which must not look like the command's own sign
    half = len(marker) // 2
    return f"LC_ALL=C sudo -k -S -p {prompt(marker)} -- sh -c {shlex.quote(f'printf %s%s {marker[:half]} {marker[half:]} >&2; {line}')}"


def verdict(stderr: bytes, marker: str) -> Literal["running", "wrong", "refused", "asks", "waiting"]:
    """What standard error says so far: the command runs, the password was wrong, sudo is not allowed, wants the password, or nothing yet."""
    if marker.encode() in stderr:
        return "running"
    text = stderr.decode("utf-8", "replace")
    if any(words in text for words in _REFUSED):
        return "refused"
    if any(words in text for words in _WRONG):
        return "wrong"
    return "asks" if prompt(marker) in text else "waiting"


def clean(stderr: bytes, marker: str) -> bytes:
    """Standard error of the command alone, without sudo's lecture and the marker."""
    _, found, rest = stderr.partition(marker.encode())
    return rest if found else stderr

"""Root rights for a login that is not root.

The shell lines around a command, and the meaning of sudo's output. Pure.

Only sudo's standard input gets the password: it is sent when sudo asks with a random prompt, and the command's own
input only after a marker on standard error shows that sudo has started the command. So neither can read the other's
bytes, and a sudo that does not ask never passes the password to the command. ``-k`` makes sudo ask exactly once per
command, whatever it has cached.
"""

from __future__ import annotations

import shlex
from typing import Literal

PROBE = (
    "echo; test $(id -u) = 0 && echo root && exit; LC_ALL=C sudo -k -n true 2>/dev/null && echo sudo || echo password"
)
"""Shell text whose last word is ``root`` (the login is root), ``sudo`` (no password needed) or ``password``.

It begins a new line, because a login shell may have printed half of one.
"""
_REFUSED = (
    "is not in the sudoers file",
    "is not allowed to",
    "may not run",
    "must have a tty",
    "unknown user",
    # sudo-rs; its source names them in src/common/error.rs and src/pam/error.rs
    "i'm afraid i can't do that",
    "is your account locked",
    "password is expired",
    "a terminal is required",
)
_WRONG = (
    "sorry, try again",
    "incorrect password",
    "no password was provided",
    "a password is required",
    # sudo-rs
    "authentication failed",
    "incorrect authentication attempt",
    "authentication is required",
    "authentication required but not attempted",
)
_OTHER_PROMPTS = ("[sudo: authenticate] Password:",)
"""Prompts of sudo-rs releases that ignore ``-p``."""


def without_password(line: str) -> str:
    """The command under ``sudo -n``."""
    return f"sudo -n -- sh -c {shlex.quote(line)}"


def prompt(marker: str) -> str:
    """sudo's prompt: as unpredictable as the marker, and not containing it."""
    return f"asks-{marker[::-1]}:"


def with_password(line: str, marker: str) -> str:
    """The command under ``sudo -S``.

    Prints ``marker`` (letters, digits and ``-``) on standard error once it runs.
    """
    # in two words: a refusal quotes the refused command, which must not look like the printed marker
    half = len(marker) // 2
    script = f"printf %s%s {marker[:half]} {marker[half:]} >&2; {line}"
    # env: csh and tcsh as login shells know no "NAME=value command"
    return f"env LC_ALL=C sudo -k -S -p {prompt(marker)} -- sh -c {shlex.quote(script)}"


def state_of(stderr: bytes, marker: str) -> Literal["running", "wrong", "refused", "asks", "waiting"]:
    """State by standard error so far.

    Command running, password wrong, sudo not allowed, password prompt, or nothing yet.
    """
    if marker.encode() in stderr:
        return "running"
    text = stderr.decode("utf-8", "replace")
    lower = text.lower()
    if any(words in lower for words in _REFUSED):
        return "refused"
    if any(words in lower for words in _WRONG):
        return "wrong"
    return "asks" if any(words in text for words in (prompt(marker), *_OTHER_PROMPTS)) else "waiting"


def messages(stderr: bytes, marker: str) -> str:
    """What sudo printed beside its prompts."""
    text = stderr.decode("utf-8", "replace")
    for words in (prompt(marker), *_OTHER_PROMPTS):
        text = text.replace(words, "")
    return text


def clean(stderr: bytes, marker: str) -> bytes:
    """Standard error of the command alone, without sudo's messages and the marker."""
    _, found, rest = stderr.partition(marker.encode())
    return rest if found else stderr

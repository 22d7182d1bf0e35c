"""Explain why ssh did not log in, in the words of every other login."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.hosts.openssh import key_files, messages
from rancherctl.hosts.openssh.host_key_policy import HostKeyPolicy
from rancherctl.hosts.ssh_errors import FEWER_KEYS_HINT, KEY_HINT
from rancherctl.hosts.ssh_login_attempts import DroppedError
from rancherctl.hosts.ssh_settings import SshSettings
from rancherctl.text import last_line


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that ended.

    ``log`` is ssh's, ``noise`` what came to its standard error from elsewhere, ``refused`` and ``answered``
    the questions (``questions.Questions``), ``problems`` what was known before; ``via`` is the jump host.
    """

    name: str
    settings: SshSettings
    log: str
    noise: str = ""
    refused: Sequence[tuple[str, str]] = ()
    answered: Sequence[tuple[str, str]] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    via: str = ""


def failure(attempt: Attempt, policy: HostKeyPolicy, jump_reason: str = "") -> RancherctlError | DroppedError:
    """The error of a failed login. ``jump_reason``: why the jump host could not connect ("" = it could)."""
    if messages.key_refused(attempt.log):
        return policy.refused(attempt.log)
    if (none := messages.offers(attempt.log)) is not None:
        return UnreachableError(
            f"{attempt.name}: no {none[0]} in common with the ssh server",
            why=f"the server offers {none[1]}",
            hint="allow one of these for the host in your ssh configuration, if you consider it safe",
        )
    # without a passphrase ssh goes on with the next key, without any other answer the login was ended here
    unanswered = any(what != "passphrase" for what, _ in attempt.refused)
    if unanswered or messages.denied(attempt.log) or (messages.was_cut(attempt.log) and _tried(attempt)):
        return _denied(attempt)
    return _no_login(attempt, jump_reason)


def _no_login(attempt: Attempt, jump_reason: str) -> RancherctlError | DroppedError:
    log, settings, name = attempt.log, attempt.settings, attempt.name
    target, said = f"{settings.host}:{settings.port}", last_line(attempt.noise)
    if messages.server_key(log) is None:
        if problem := messages.connect_problem(log) or jump_reason:
            through = f" through {attempt.via}" if attempt.via else ""
            hint = "check the address and the port, and that sshd is running"
            return UnreachableError(f"{name}: cannot connect to {target}{through}", why=problem, hint=hint)
        if settings.proxy_command and said:
            what = f"{name}: the ProxyCommand of the ssh configuration failed"
            return UnreachableError(what, why=said, hint=f"run it by hand: {settings.proxy_command[:300]}")
    why = messages.last_message(log) or said or "ssh ended without a message"
    if messages.was_dropped(log):
        by = f"; the ProxyCommand is {settings.proxy_command[:300]}" if settings.proxy_command else ""
        return DroppedError(why + by)
    return UnreachableError(f"{name}: cannot start ssh with {target}", why=why)


def _denied(attempt: Attempt) -> AuthError:
    log = attempt.log
    for what, key in attempt.answered:
        if what == "passphrase" and messages.passphrase_was_wrong(log, key):
            return AuthError(
                f"cannot decrypt the key {key}",
                why="the passphrase is wrong",
                hint="enter the right passphrase, or add the key to an ssh agent",
            )
    tried = _tried(attempt)
    asked = dict.fromkeys(attempt.refused)
    problems = [f"{path} {what}" for path, what in attempt.problems.items()]
    problems += [f"{subject} is encrypted with a passphrase" for what, subject in asked if what == "passphrase"]
    problems += [f'the question "{subject}" has no answer' for what, subject in asked if what == "question"]
    problems += [*messages.key_problems(log, attempt.settings.agent), *key_files.problems(attempt.settings)]
    why = "the server accepted none of them" if tried else "no key, agent or password is available"
    too_many = "Too many" in messages.denied(log) or messages.was_cut(log)
    if too_many:
        why = f"the server closed the connection after {len(tried)} attempts"
    return AuthError(
        f"{attempt.name}: login as {attempt.settings.user} refused (tried {', '.join(tried) or 'nothing'})",
        why="; ".join([why, *dict.fromkeys(problems)]),
        hint=FEWER_KEYS_HINT if too_many else KEY_HINT,
    )


def _tried(attempt: Attempt) -> list[str]:
    return messages.tried(attempt.log, lambda path: Path(path).is_file())

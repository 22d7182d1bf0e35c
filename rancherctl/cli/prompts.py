"""The answers to a connection's questions: from a file, else from the person at the terminal, asked once each and one at a time."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final

from rancherctl.cli.sudo_passwords import SudoPasswords
from rancherctl.cli.terminal import line
from rancherctl.credentials.user_stores import user_secrets
from rancherctl.errors import UsageError
from rancherctl.hosts.command import Secret
from rancherctl.hosts.prompts import HostKeyQuestion, Prompts
from rancherctl.settings import Settings

Paused = Callable[[], AbstractContextManager[object]]


def prompts(settings: Settings, paused: Paused, say: Callable[[str], None]) -> Prompts:
    """What may be asked in this run. ``paused`` holds the live view while a question stands; ``say`` shows a person a line."""
    asker = _Asker(paused) if settings.interactive else None
    given = _from_file(settings.sudo_password_file, say) if settings.sudo_password_file else None
    sudo = SudoPasswords(
        given,
        user_secrets(settings.dirs, say),
        asker.typed if asker else None,
        asker.yes if asker else None,
        say,
    )
    answers = Prompts(sudo=sudo.password, sudo_refused=sudo.refused, sudo_accepted=sudo.accepted)
    if settings.yes:
        answers = replace(answers, host_key=lambda question: _trusted(question, say))
    if asker is None:
        return answers
    return replace(
        answers,
        host_key=answers.host_key or asker.host_key,
        password=lambda login: asker.secret(f"password of {login}: "),
        passphrase=lambda key: asker.secret(f"passphrase of {key}: "),
    )


_NAMED: Final = "RANCHERCTL_SUDO_PASSWORD_FILE, or sudo_password_file in config.toml, names it"


def _trusted(question: HostKeyQuestion, say: Callable[[str], None]) -> bool:
    say(f"{question.host}: host key {question.key_type} {question.fingerprint} is trusted from now on (--yes)")
    return True


def _from_file(path: Path, say: Callable[[str], None]) -> Secret:
    try:
        if path.is_file() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            say(f"warning: others can read the sudo password in {path}: chmod 600 {path}")
        return Secret(path.read_text(encoding="utf-8").rstrip("\n"))
    except OSError as error:
        raise UsageError(
            f"cannot read the sudo password file {path}", why=error.strerror or str(error), hint=_NAMED
        ) from error


class _Asker:
    """Many threads may have questions: they queue, and a question that was answered is not asked again."""

    def __init__(self, paused: Paused) -> None:
        self._paused = paused
        self._lock = threading.Lock()
        self._answers: dict[str, Secret | None] = {}
        self._ended = False

    def host_key(self, question: HostKeyQuestion) -> bool:
        """Trust this key?"""
        with self._lock:
            return self._yes(
                f"{question.host}: unknown host key {question.key_type} {question.fingerprint}. Trust it and keep it?"
            )

    def yes(self, question: str) -> bool:
        """Yes or no."""
        with self._lock:
            return self._yes(question)

    def secret(self, prompt: str) -> Secret | None:
        """A secret typed without echo; None for an empty line."""
        with self._lock:
            if prompt not in self._answers:
                self._answers[prompt] = self._ask(prompt)
            return self._answers[prompt]

    def typed(self, prompt: str) -> Secret | None:
        """The same, asked each time."""
        with self._lock:
            return self._ask(prompt)

    def _ask(self, prompt: str) -> Secret | None:
        return Secret(self._line(prompt, hidden=True) or "") or None

    def _yes(self, question: str) -> bool:
        return (self._line(f"{question} [y/N] ", hidden=False) or "").strip().lower() in ("y", "yes")

    def _line(self, prompt: str, *, hidden: bool) -> str | None:
        """A line; None from the first Ctrl-C on, so that no other thread asks when the run is ending."""
        if self._ended:
            return None
        with self._paused():
            typed = line(prompt, hidden=hidden)
        self._ended = typed is None
        return typed

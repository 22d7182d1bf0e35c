"""Answers to the questions of ssh connections: from a file, or from the terminal, each asked once and one at a time."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final

from rancherctl.cli.sudo_passwords import SudoPasswords
from rancherctl.cli.terminal import read_line
from rancherctl.credentials.user_stores import user_secrets
from rancherctl.errors import UsageError
from rancherctl.hosts.command import Secret
from rancherctl.hosts.prompts import HostKeyQuestion, Prompts
from rancherctl.settings import Settings

Paused = Callable[[], AbstractContextManager[object]]


def prompts(settings: Settings, paused: Paused, say: Callable[[str], None]) -> Prompts:
    """The prompts of this run. ``paused`` removes the live view for a question; ``say`` prints a line for a person."""
    view = _Terminal(paused)
    terminal = view if settings.interactive else None
    given = _from_file(settings.sudo_password_file, say) if settings.sudo_password_file else None
    sudo = SudoPasswords(
        given,
        user_secrets(settings.dirs, say),
        terminal.read_secret if terminal else None,
        terminal.yes if terminal else None,
        say,
    )
    answers = Prompts(sudo=sudo.password, sudo_refused=sudo.refused, sudo_accepted=sudo.accepted, warn=say)
    if settings.verbose:
        answers = replace(answers, note=lambda text: view.note(text, say))
    if settings.yes:
        answers = replace(answers, host_key=lambda question: _trusted(question, say))
    if terminal is None:
        return answers
    return replace(
        answers,
        host_key=answers.host_key or terminal.host_key,
        password=lambda login: terminal.secret(f"password for {login}: "),
        passphrase=lambda key: terminal.secret(f"passphrase for {key}: "),
        answer=lambda question: terminal.read_secret(f"{question} "),
    )


_FILE_HINT: Final = "set RANCHERCTL_SUDO_PASSWORD_FILE, or sudo_password_file in config.toml, to a readable file"


def _trusted(question: HostKeyQuestion, say: Callable[[str], None]) -> bool:
    accepted = "accepted and stored" if question.stored else "accepted for this run"
    say(f"{question.host}: {accepted} host key {question.key_type} {question.fingerprint} (--yes)")
    return True


def _from_file(path: Path, say: Callable[[str], None]) -> Secret:
    try:
        if path.is_file() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            say(f"warning: {path} with the sudo password is readable by other users; run chmod 600 {path}")
        return Secret(path.read_text(encoding="utf-8").rstrip("\n"))
    except OSError as error:
        raise UsageError(
            f"cannot read the sudo password file {path}", why=error.strerror or str(error), hint=_FILE_HINT
        ) from error


class _Terminal:
    """Prompts on the terminal, from any thread: they queue, and an answered question is not asked again."""

    def __init__(self, paused: Paused) -> None:
        self._paused = paused
        self._lock = threading.Lock()
        self._answers: dict[str, Secret | None] = {}
        self._ended = False

    def host_key(self, question: HostKeyQuestion) -> bool:
        """Ask whether to trust an unknown host key."""
        with self._lock:
            accept = "Accept and store it?" if question.stored else "Accept it for this run?"
            return self._yes(f"{question.host}: unknown host key {question.key_type} {question.fingerprint}. {accept}")

    def yes(self, question: str) -> bool:
        """Ask a question that is answered with yes or no."""
        with self._lock:
            return self._yes(question)

    def secret(self, prompt: str) -> Secret | None:
        """Read a secret without echo; None for an empty line."""
        with self._lock:
            if prompt not in self._answers:
                self._answers[prompt] = self._ask(prompt)
            return self._answers[prompt]

    def read_secret(self, prompt: str) -> Secret | None:
        """Read a secret, asking each time."""
        with self._lock:
            return self._ask(prompt)

    def note(self, text: str, say: Callable[[str], None]) -> None:
        """Print a line without disturbing a live view or a question."""
        with self._lock, self._paused():
            say(text)

    def _ask(self, prompt: str) -> Secret | None:
        return Secret(self._line(prompt, hidden=True) or "") or None

    def _yes(self, question: str) -> bool:
        return (self._line(f"{question} [y/N] ", hidden=False) or "").strip().lower() in ("y", "yes")

    def _line(self, prompt: str, *, hidden: bool) -> str | None:
        """One line; None after Ctrl-C, so that no other thread prompts while the run ends."""
        if self._ended:
            return None
        with self._paused():
            typed = read_line(prompt, hidden=hidden)
        self._ended = typed is None
        return typed

"""The answers to a connection's questions: from a file, else from the person at the terminal, asked once each and one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rancherctl.cli.context import input_line
from rancherctl.errors import UsageError
from rancherctl.hosts.command import Secret
from rancherctl.hosts.prompts import HostKeyQuestion, Prompts
from rancherctl.settings import Settings

Paused = Callable[[], AbstractContextManager[object]]


def prompts(settings: Settings, paused: Paused) -> Prompts:
    """What may be asked in this run. ``paused`` holds the live view while a question stands."""
    stored = _from_file(settings.sudo_password_file) if settings.sudo_password_file else None
    if not settings.interactive:
        return Prompts(sudo=(lambda _login: stored) if stored else None)
    asker = _Asker(paused)
    return Prompts(
        host_key=asker.host_key,
        password=lambda login: asker.secret(f"password of {login}: "),
        passphrase=lambda key: asker.secret(f"passphrase of {key}: "),
        sudo=(lambda _login: stored) if stored else lambda login: asker.secret(f"sudo password of {login}: "),
    )


def _from_file(path: Path) -> Secret:
    try:
        return Secret(path.read_text(encoding="utf-8").rstrip("\n"))
    except OSError as error:
        raise UsageError(f"cannot read the sudo password file {path}", why=error.strerror or str(error)) from error


class _Asker:
    """Many threads may have questions: they queue, and a question that was answered is not asked again."""

    def __init__(self, paused: Paused) -> None:
        self._paused = paused
        self._lock = threading.Lock()
        self._answers: dict[str, Secret | None] = {}

    def host_key(self, question: HostKeyQuestion) -> bool:
        """Trust this key?"""
        with self._lock, self._paused():
            line = input_line(f"{question.host}: unknown host key {question.key_type} {question.fingerprint}. Trust it and keep it? [y/N] ")
        return line.strip().lower() in ("y", "yes")

    def secret(self, prompt: str) -> Secret | None:
        """A secret typed without echo; None for an empty line."""
        import getpass

        with self._lock:
            if prompt not in self._answers:
                with self._paused():
                    self._answers[prompt] = Secret(getpass.getpass(prompt)) or None
            return self._answers[prompt]

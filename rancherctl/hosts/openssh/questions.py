"""Answer the questions that ssh asks during a login, by the prompts of this run."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rancherctl.hosts.openssh import askpass
from rancherctl.hosts.prompts import Prompts, SudoLogin

SOCKET: Final = "q"
HELPER: Final = "askpass"
LIMIT: Final = 10.0
"""Seconds for the helper to send its question."""
_HOST_KEY = re.compile(
    r"The authenticity of host '(?P<name>[^']*?)(?: \([^']*\))?' can't be established\.\s+"
    r"(?P<kind>\S+) key fingerprint is:?\s+(?P<fingerprint>\S+?)\.?\s"
)
_PASSWORD = re.compile(r"(?:(?P<login>.+)'s password|\((?P<asked>[^()]+)\) Password|Password): ?")
"""Of the method ``password``, and the same question of ``keyboard-interactive``, before 8.5 without the login."""
_PASSPHRASE = re.compile(r"Enter passphrase for (?:RSA |DSA |ECDSA |ED25519 )?(?:key )?'?(?P<path>.+?)'?: ?")
_KEY_TYPES: Final = {"RSA": "ssh-rsa", "DSA": "ssh-dss", "ED25519": "ssh-ed25519"}


class Questions:
    """Listens in the master's folder until ``close``. ``changed`` is called when a question begins or ends.

    ``answered`` and ``refused`` list what was asked: (``password``, login), (``passphrase``, path) or (``question``,
    the text). ``host_key`` decides about an unknown key: name, type as ssh writes it, fingerprint.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        login: SudoLogin,
        prompts: Prompts,
        host_key: Callable[[str, str, str], bool],
        changed: Callable[[], None],
    ) -> None:
        self._host, self._login, self._prompts, self._host_key, self._changed = host, login, prompts, host_key, changed
        self._lock = threading.Lock()
        self.open = 0
        """Questions that wait for an answer."""
        self.answered: list[tuple[str, str]] = []
        self.refused: list[tuple[str, str]] = []
        self.gave_up = False
        """Whether the login cannot go on: ssh would send an empty answer instead of the missing one."""
        self._ended = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = folder / SOCKET
        self._listener.bind(str(path))
        self._listener.listen()
        words = (sys.executable, "-I", "-S", str(Path(askpass.__file__).resolve()), str(path))
        self._helper = folder / HELPER
        self._helper.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$1"\n', encoding="utf-8")
        self._helper.chmod(0o700)
        threading.Thread(target=self._accept, name="questions of ssh", daemon=True).start()

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment in which ssh asks here. Releases before 8.4 do so if there is a DISPLAY and no terminal."""
        asking = {"SSH_ASKPASS": str(self._helper), "SSH_ASKPASS_REQUIRE": "force"}
        return {"DISPLAY": "none:0", **environ, **asking}

    def close(self) -> None:
        """Listen no longer; to be called after ssh has ended."""
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                guest, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(guest,), name="question of ssh", daemon=True).start()

    def _serve(self, guest: socket.socket) -> None:
        with guest:
            guest.settimeout(LIMIT)
            data = b""
            with contextlib.suppress(OSError):
                while more := guest.recv(65536):
                    data += more
            try:
                asked = json.loads(data)
                text, kind = str(asked["text"]), str(asked["kind"])
            except (ValueError, KeyError, TypeError):
                # not the helper, which sends a whole question
                return
            self._count(1)
            answer = None
            try:
                answer = self._answer(text, kind)
            finally:
                self._count(-1)
                if self.gave_up:
                    self._ended.wait(LIMIT)
                # the helper may have been ended meanwhile, with its ssh
                with contextlib.suppress(OSError):
                    guest.sendall(json.dumps({"answer": answer}).encode())

    def _count(self, by: int) -> None:
        with self._lock:
            self.open += by
        self._changed()

    def _answer(self, text: str, kind: str) -> str | None:
        prompts = self._prompts
        if kind == "none":
            # nothing to answer: ssh waits for a touch of a security key
            if prompts.warn is not None:
                prompts.warn(f"{self._host}: {text.strip()}")
            return ""
        if found := _HOST_KEY.search(text):
            shown = found["kind"]
            return "yes" if self._host_key(found["name"], _KEY_TYPES.get(shown, shown), found["fingerprint"]) else "no"
        if found := _PASSWORD.fullmatch(text):
            what, subject, ask = "password", self._shown(found["login"] or found["asked"]), prompts.password
        elif found := _PASSPHRASE.fullmatch(text):
            what, subject, ask = "passphrase", found["path"], prompts.passphrase
        else:
            what, subject, ask = "question", text.strip(), prompts.answer
        secret = ask(subject) if ask is not None and kind != "confirm" else None
        if secret is None:
            with self._lock:
                self.refused.append((what, subject))
                # without a passphrase ssh goes on with the next key
                self.gave_up = self.gave_up or what != "passphrase"
            return None
        with self._lock:
            self.answered.append((what, subject))
        return str(secret)

    def _shown(self, login: str | None) -> str:
        """The host's name for messages instead of its address."""
        user, _, host = (login or str(self._login)).rpartition("@")
        return str(self._login) if (user, host) == (self._login.user, self._login.address) else f"{user}@{host}"

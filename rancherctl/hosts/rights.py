"""How a login gets root rights.

It is root, sudo needs no password, or sudo gets the password kept here for the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from rancherctl.errors import AuthError
from rancherctl.hosts import sudo
from rancherctl.hosts.command import Command, Result, Secret
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.session import SudoPasswordError

Way = Literal["root", "sudo", "password"]


class Rights:
    """Detected at the first command that needs root.

    ``prompts`` provides the sudo password and learns whether it was right.
    """

    def __init__(self, login: SudoLogin, prompts: Prompts) -> None:
        self._login = login
        self._prompts = prompts
        self._lock = threading.Lock()
        self._way: Way | None = "root" if login.user == "root" else None
        self._password: Secret | None = None
        self._accepted = False

    def way(self, run: Callable[[Command], Result]) -> Way:
        """How to become root; ``run`` runs a command as the login itself."""
        with self._lock:
            if self._way is None:
                words = run(Command(("sh", "-c", sudo.PROBE), root=False, timeout=30)).text().split()
                last = words[-1] if words else ""
                self._way = "root" if last == "root" else "sudo" if last == "sudo" else "password"
            return self._way

    def with_password(self, run: Callable[[Secret], Result]) -> Result:
        """Call ``run`` with a password that sudo accepts.

        A wrong password never starts the command, so ``run`` is repeated.
        """
        while True:
            password = self._get()
            try:
                result = run(password)
            except SudoPasswordError:
                if not self._retry_after(password):
                    raise
            else:
                self._confirm(password)
                return result

    def _get(self) -> Secret:
        """The sudo password, asked for once; AuthError if there is none."""
        with self._lock:
            if self._password is None and self._prompts.sudo is not None:
                self._password = self._prompts.sudo(self._login)
            if self._password is None:
                what = f"{self._login}: sudo asks for a password"
                hint = "run it in a terminal, set RANCHERCTL_SUDO_PASSWORD_FILE (a 0600 file), or log in as root"
                raise AuthError(what, why="no password available", hint=hint)
            return self._password

    def _retry_after(self, password: Secret) -> bool:
        """Whether to try again after sudo rejected ``password``.

        With a newer one, or by asking again unless it was right before.
        """
        with self._lock:
            if self._password != password:
                return True  # another thread has obtained a new one meanwhile
            if (
                self._accepted
                or self._prompts.sudo_refused is None
                or not self._prompts.sudo_refused(self._login, password)
            ):
                return False
            self._password = None
            return True

    def _confirm(self, password: Secret) -> None:
        """Report once that the password was right."""
        with self._lock:
            first, self._accepted = not self._accepted, True
        if first and self._prompts.sudo_accepted is not None:
            self._prompts.sudo_accepted(self._login, password)

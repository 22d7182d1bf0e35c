"""How a login gets root rights.

It is root, sudo needs no password, or sudo gets the password kept here for the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Literal, get_args

from rancherctl.errors import AuthError
from rancherctl.hosts import sudo
from rancherctl.hosts.command import Command, Result, Secret
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.session import SudoPasswordError
from rancherctl.text import last_line

Way = Literal["root", "sudo", "password"]
WAYS: Final[tuple[Way, ...]] = get_args(Way)


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
                result = run(Command(("sh", "-c", sudo.PROBE), root=False, timeout=30))
                # a login shell may print a greeting first
                answer = (result.text().split() or [""])[-1]
                way = next((way for way in WAYS if way == answer), None)
                if way is None:
                    raise self._no_commands(result)
                self._way = way
            return self._way

    def _no_commands(self, result: Result) -> AuthError:
        return AuthError(
            f"{self._login}: the login does not run commands",
            why=last_line(result.stderr, last_line(result.stdout, f"exit status {result.status}"))[:500],
            hint="give the user a login shell such as /bin/sh, without a ForceCommand or a command in authorized_keys",
        )

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

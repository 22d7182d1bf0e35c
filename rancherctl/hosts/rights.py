"""How one login gets root rights: it is root, sudo asks nothing, or sudo asks for the password that is kept here for the run."""

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
    """Found out at the first command that needs root. ``prompts`` gives the sudo password, and is told whether it was right."""

    def __init__(self, login: SudoLogin, prompts: Prompts) -> None:
        self._login = login
        self._prompts = prompts
        self._lock = threading.Lock()
        self._way: Way | None = "root" if login.user == "root" else None
        self._password: Secret | None = None
        self._accepted = False

    def way(self, run: Callable[[Command], Result]) -> Way:
        """The way; ``run`` runs a command as the login itself."""
        with self._lock:
            if self._way is None:
                words = run(Command(("sh", "-c", sudo.PROBE), root=False, timeout=30)).text().split()
                last = words[-1] if words else ""
                self._way = "root" if last == "root" else "sudo" if last == "sudo" else "password"
            return self._way

    def with_password(self, run: Callable[[Secret], Result]) -> Result:
        """What ``run`` gives with a password that sudo takes. SudoPasswordError comes before a command began: ``run`` may be called again."""
        while True:
            password = self._get()
            try:
                result = run(password)
            except SudoPasswordError:
                if not self._refused(password):
                    raise
            else:
                self._took(password)
                return result

    def _get(self) -> Secret:
        """The sudo password, asked once; AuthError when there is none."""
        with self._lock:
            if self._password is None and self._prompts.sudo is not None:
                self._password = self._prompts.sudo(self._login)
            if self._password is None:
                what = f"{self._login}: sudo asks for a password"
                hint = "run it on a terminal, which asks; or name a 0600 file in RANCHERCTL_SUDO_PASSWORD_FILE; or log in as root"
                raise AuthError(what, why="no password is at hand", hint=hint)
            return self._password

    def _refused(self, password: Secret) -> bool:
        """sudo did not take it: whether ``password`` has, or may ask for, another one. Once it was right, none is asked for again."""
        with self._lock:
            if self._password != password:
                return True  # another thread has got a new one meanwhile
            if (
                self._accepted
                or self._prompts.sudo_refused is None
                or not self._prompts.sudo_refused(self._login, password)
            ):
                return False
            self._password = None
            return True

    def _took(self, password: Secret) -> None:
        """sudo has taken it."""
        with self._lock:
            first, self._accepted = not self._accepted, True
        if first and self._prompts.sudo_accepted is not None:
            self._prompts.sudo_accepted(self._login, password)

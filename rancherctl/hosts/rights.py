"""How one login gets root rights: it is root, sudo asks nothing, or sudo asks for the password that is kept here for the run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from rancherctl.errors import AuthError
from rancherctl.hosts import sudo
from rancherctl.hosts.command import Command, Result, Secret

Way = Literal["root", "sudo", "password"]


class Rights:
    """Found out at the first command that needs root. ``ask`` gives the sudo password of a login (None = nobody to ask)."""

    def __init__(self, login: str, ask: Callable[[str], Secret | None] | None) -> None:
        self._login = login
        self._ask = ask
        self._lock = threading.Lock()
        self._way: Way | None = "root" if login.startswith("root@") else None
        self._password: Secret | None = None

    def way(self, run: Callable[[Command], Result]) -> Way:
        """The way; ``run`` runs a command as the login itself."""
        with self._lock:
            if self._way is None:
                words = run(Command(("sh", "-c", sudo.PROBE), root=False, timeout=30)).text().split()
                last = words[-1] if words else ""
                self._way = "root" if last == "root" else "sudo" if last == "sudo" else "password"
            return self._way

    def password(self) -> Secret:
        """The sudo password, asked once; AuthError when there is none."""
        with self._lock:
            if self._password is None and self._ask is not None:
                self._password = self._ask(self._login)
            if self._password is None:
                what = f"{self._login}: sudo asks for a password"
                raise AuthError(what, why="no password is at hand", hint="give the sudo password, or log in as root")
            return self._password

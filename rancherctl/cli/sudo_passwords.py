"""Sudo passwords: from the file in the settings, else from the keyring, else from the terminal.

A typed password that worked may be stored in the keyring; never in a file, in logs or in argv.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from rancherctl.credentials.store import KeyringUnusableError, SecretStore
from rancherctl.errors import AuthError
from rancherctl.hosts.command import Secret
from rancherctl.hosts.prompts import SudoLogin

TRIES = 3
Source = Literal["file", "keyring", "typed"]


class SudoPasswords:
    """Called from any thread.

    ``ask`` reads a password (None = no answer), ``yes`` asks a question; both None without a terminal.
    """

    def __init__(
        self,
        given: Secret | None,
        store: SecretStore,
        ask: Callable[[str], Secret | None] | None,
        yes: Callable[[str], bool] | None,
        say: Callable[[str], None],
    ) -> None:
        self._given, self._store, self._ask, self._yes, self._say = given, store, ask, yes, say
        self._lock = threading.Lock()
        self._sources: dict[SudoLogin, Source] = {}
        self._tried: dict[SudoLogin, list[Secret]] = {}
        self._stale: set[SudoLogin] = set()
        self._last: tuple[SudoLogin, Secret] | None = None
        self._keep: bool | None = None
        self._keyring_warned = False

    def password(self, login: SudoLogin) -> Secret | None:
        """The password to try now, or None."""
        with self._lock:
            if self._given is not None:
                self._sources[login] = "file"
                return self._given
            if login not in self._stale and (found := self._remembered(login)) is not None:
                self._sources[login] = "keyring"
                return found
            return self._from_person(login)

    def refused(self, login: SudoLogin, password: Secret) -> bool:
        """Called if sudo rejected ``password``: whether to try another. AuthError says which one was wrong."""
        del password
        with self._lock:
            source = self._sources.get(login, "typed")
            if source == "keyring":
                self._stale.add(login)
            if self._ask is not None and source != "file" and len(self._tried.get(login, ())) < TRIES:
                what = "the stored sudo password is wrong" if source == "keyring" else "wrong sudo password, try again"
                self._say(f"{login}: {what}")
                return True
        if source == "keyring":
            why = "it comes from the keyring and was changed on the host since"
            raise AuthError(
                f"{login}: the stored sudo password is wrong",
                why=why,
                hint="run the command on a terminal and type the new one",
            )
        if source == "file":
            raise AuthError(
                f"{login}: the sudo password is wrong",
                why="it comes from the file in RANCHERCTL_SUDO_PASSWORD_FILE",
                hint="correct the password in that file",
            )
        return False

    def accepted(self, login: SudoLogin, password: Secret) -> None:
        """Called if sudo accepted ``password``: offers to store a typed one."""
        with self._lock:
            if self._sources.get(login) != "typed" or self._yes is None or self._store.keyring is None:
                return
            if login not in self._stale and self._keep is None:
                self._keep = self._yes("Store sudo passwords in the keyring?")
            if login in self._stale or self._keep:
                self._remember(login, password)

    def _remembered(self, login: SudoLogin) -> Secret | None:
        try:
            return self._store.get(_key(login))
        except KeyringUnusableError as error:
            if self._ask is None:
                hint = "set RANCHERCTL_SUDO_PASSWORD_FILE to a 0600 file, or run the command on a terminal"
                raise AuthError(f"{login}: sudo requires a password", why=str(error), hint=hint) from error
            if not self._keyring_warned:
                self._say(f"warning: {error}")
                self._keyring_warned = True
            return None

    def _from_person(self, login: SudoLogin) -> Secret | None:
        if self._ask is None:
            return None
        tried = self._tried.setdefault(login, [])
        same = self._last if self._last is not None and self._last[0] != login and self._last[1] not in tried else None
        typed = self._ask(f"sudo password for {login}{f' (Enter: same as {same[0]})' if same else ''}: ") or (
            same[1] if same else None
        )
        self._sources[login] = "typed"
        if typed is not None:
            tried.append(typed)
            self._last = (login, typed)
        return typed

    def _remember(self, login: SudoLogin, password: Secret) -> None:
        try:
            self._store.put(_key(login), password, keyring_only=True)
        except KeyringUnusableError as error:
            self._keep = False
            self._say(f"warning: cannot store the sudo password: {error}")


def _key(login: SudoLogin) -> str:
    return f"sudo/{login.user}@{login.address or login.host}:{login.port}"

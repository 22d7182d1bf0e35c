"""Questions that a connection may have for the user. A missing answerer means: never asked; the error then says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rancherctl.hosts.command import Secret


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """A host that no known_hosts file has: its name for people, the name it is kept under, key type and ``SHA256:…``."""

    host: str
    name: str
    key_type: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SudoLogin:
    """Who needs a sudo password where: the login, the host's name for people, and the address and port that are connected to."""

    user: str
    host: str
    address: str = ""
    port: int = 22

    def __str__(self) -> str:
        return f"{self.user}@{self.host}"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Callables that may be called from any thread; each gives None when the user has no answer.

    ``host_key``: trust this key and keep it? ``password``: login password of ``user@host``. ``passphrase``: of a private key file.
    ``sudo``: sudo password of a login. ``sudo_refused``: that one was wrong; True = ``sudo`` may be asked again. ``sudo_accepted``: it was right.
    """

    host_key: Callable[[HostKeyQuestion], bool] | None = None
    password: Callable[[str], Secret | None] | None = None
    passphrase: Callable[[str], Secret | None] | None = None
    sudo: Callable[[SudoLogin], Secret | None] | None = None
    sudo_refused: Callable[[SudoLogin, Secret], bool] | None = None
    sudo_accepted: Callable[[SudoLogin, Secret], None] | None = None

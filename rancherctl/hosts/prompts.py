"""Questions that a connection may ask the user.

Without a callable the question is skipped; the error then says what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rancherctl.hosts.command import Secret


@dataclass(frozen=True, slots=True)
class HostKeyQuestion:
    """A host in no known_hosts file.

    Display name, ``name`` in known_hosts, key type and fingerprint (``SHA256:…``), and whether an accepted key is
    stored (else it is valid for this run).
    """

    host: str
    name: str
    key_type: str
    fingerprint: str
    stored: bool = True


@dataclass(frozen=True, slots=True)
class SudoLogin:
    """A login that needs a sudo password.

    User, the host's display name, and the address and port of the connection.
    """

    user: str
    host: str
    address: str = ""
    port: int = 22

    def __str__(self) -> str:
        return f"{self.user}@{self.host}"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Callables that may be called from any thread; a secret is None if the user gave no answer.

    ``host_key``: whether to trust and store this key. ``password``: login password of ``user@host``. ``passphrase``: of
    a private key file. ``answer``: to any other question of a login, in its own words (a PIN, a one-time code).
    ``sudo``: sudo password of a login. ``sudo_refused``: it was wrong; True = ask ``sudo`` again. ``sudo_accepted``: it
    was right. ``warn`` prints a line for the user, ``note`` one for a user who wants details.
    """

    host_key: Callable[[HostKeyQuestion], bool] | None = None
    password: Callable[[str], Secret | None] | None = None
    passphrase: Callable[[str], Secret | None] | None = None
    answer: Callable[[str], Secret | None] | None = None
    sudo: Callable[[SudoLogin], Secret | None] | None = None
    sudo_refused: Callable[[SudoLogin, Secret], bool] | None = None
    sudo_accepted: Callable[[SudoLogin, Secret], None] | None = None
    warn: Callable[[str], None] | None = None
    note: Callable[[str], None] | None = None

"""Where the credentials of the user who runs the program are.

Registry, secrets and token cache below the XDG folders.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable

from rancherctl.credentials.registry import Registry
from rancherctl.credentials.renewal import Renewal
from rancherctl.credentials.store import Keyring, SecretStore, keyring_possible
from rancherctl.credentials.tokens import operator_name
from rancherctl.files import replace as replace_file
from rancherctl.settings import Dirs


def user_registry(where: Dirs) -> Registry:
    """This user's registry of environments."""
    return Registry(where.config / "environments")


def user_secrets(where: Dirs, warn: Callable[[str], None]) -> SecretStore:
    """This user's secrets."""
    return SecretStore(where.state / "secrets.json", Keyring() if keyring_possible(os.environ) else None, warn)


def user_renewal(where: Dirs, warn: Callable[[str], None], exec_info: str = "") -> Renewal:
    """Token renewal with this user's registry, secrets and token cache; ``exec_info`` is what kubectl passes."""
    return Renewal(user_registry(where), user_secrets(where, warn), where.cache / "credentials", exec_info=exec_info)


def user_session(where: Dirs, machine: str) -> str:
    """Name of this user's sessions: the machine, and an id of the state folder.

    Users and containers on one machine may have the same name: revoking the session of one must not end another's.
    """
    path = where.state / "session-id"
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if not re.fullmatch(r"[0-9a-f]{8}", found):
        found = secrets.token_hex(4)
        with contextlib.suppress(OSError):  # a folder that cannot be written: the next sign-in starts another session
            replace_file(path, f"{found}\n".encode())
    return operator_name(f"{machine}-{found}")

"""Where the credentials of the user who runs the program are.

Registry, secrets and token cache below the XDG folders.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from rancherctl.credentials.registry import Registry
from rancherctl.credentials.renewal import Renewal
from rancherctl.credentials.store import Keyring, SecretStore, keyring_possible
from rancherctl.settings import Dirs


def user_registry(where: Dirs) -> Registry:
    """This user's registry of environments."""
    return Registry(where.config / "environments")


def user_secrets(where: Dirs, warn: Callable[[str], None]) -> SecretStore:
    """This user's secrets."""
    return SecretStore(where.state / "secrets.json", Keyring() if keyring_possible(os.environ) else None, warn)


def user_renewal(where: Dirs, warn: Callable[[str], None]) -> Renewal:
    """Token renewal with this user's registry, secrets and token cache."""
    return Renewal(user_registry(where), user_secrets(where, warn), where.cache / "credentials")

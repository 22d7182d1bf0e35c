"""Failures of a login that another ssh client can avoid: nothing was tried that the server counts as a wrong login."""

from __future__ import annotations

from typing import Final

from rancherctl.errors import AuthError, UnreachableError

KEY_HINT: Final = "set the right key (ssh.identity), or add your public key to authorized_keys on the host"
FEWER_KEYS_HINT: Final = (
    "the server ends a login after MaxAuthTries keys: name the right one with IdentityFile and IdentitiesOnly yes in "
    "your ssh configuration, or with ssh.identity"
)


class NoCommonAlgorithmError(UnreachableError):
    """Client and server have no algorithm in common."""


class LoginMethodError(AuthError):
    """The server asks for a login method that the client does not have; no key or password was refused."""


BEYOND_CLIENT = (NoCommonAlgorithmError, LoginMethodError)

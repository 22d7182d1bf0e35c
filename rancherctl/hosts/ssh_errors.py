"""Failures of a login that another ssh client can avoid: nothing was tried that the server counts as a wrong login."""

from __future__ import annotations

from rancherctl.errors import AuthError, UnreachableError


class NoCommonAlgorithmError(UnreachableError):
    """Client and server have no algorithm in common."""


class LoginMethodError(AuthError):
    """The server asks for a login method that the client does not have; no key or password was refused."""


BEYOND_CLIENT = (NoCommonAlgorithmError, LoginMethodError)

"""The exception tree: what failed and where, why, what to do next, and the exit code.

Here lives every error that a user may see. Not here: formatting (output.render prints them) and foreign exceptions
(translated where they enter, with the cause kept by ``raise ... from``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class RancherctlError(Exception):
    """A failure that a user can act on.

    ``what``, ``why`` and ``hint`` are one line each: what failed and where, the cause if known, and what to do next.
    ``retryable``: whether the same call may succeed later.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


class UsageError(RancherctlError):
    """The command line or an input file is invalid; nothing was changed."""

    exit_code = 2


class Problem(str):
    """One problem of an input as a complete line: ``place: message (remedy)``."""

    __slots__ = ()


class InvalidInputError(UsageError):
    """A file or a set of hosts is invalid; ``problems`` lists all problems at once."""

    def __init__(self, what: str, problems: Sequence[str], *, hint: str = "") -> None:
        super().__init__(what, why="; ".join(problems), hint=hint)
        self.problems = tuple(problems)


class PreflightError(RancherctlError):
    """Hosts do not meet the requirements of a change; ``problems`` lists all reasons; nothing was changed."""

    def __init__(self, what: str, problems: Sequence[str], *, hint: str = "") -> None:
        super().__init__(what, why="; ".join(problems), hint=hint)
        self.problems = tuple(problems)


class NotFoundError(RancherctlError):
    """A named thing (environment, host, ingress, record) does not exist."""

    exit_code = 3


class AuthError(RancherctlError):
    """Credentials were refused: ssh key or password, sudo password, host key, API token."""

    exit_code = 4


class ConflictError(RancherctlError):
    """Conflict with another change or owner: resource version, foreign object, name already in use."""

    exit_code = 5


class LockedError(ConflictError):
    """Another operator holds the lock of the environment; ``what`` says who, since when and for what."""

    retryable = True


class RefusedError(RancherctlError):
    """A dangerous plan was refused, with its numbers; it can be forced explicitly for one run."""

    exit_code = 5


class PartialError(RancherctlError):
    """Some hosts or members failed; ``failures`` maps each to one line."""

    exit_code = 6

    def __init__(self, what: str, failures: dict[str, str], *, hint: str = "") -> None:
        super().__init__(what, why="; ".join(f"{k}: {v}" for k, v in sorted(failures.items())), hint=hint)
        self.failures = dict(failures)


class UnhealthyError(PartialError):
    """A check found problems in what it could read; ``failures`` maps each subject to one line."""

    exit_code = 1


class UnreachableError(RancherctlError):
    """No connection to a host or an API within the time limit: its state is unknown, not absent."""

    exit_code = 7
    retryable = True


class TimeoutExceededError(RancherctlError):
    """A wait ended before its condition became true."""

    exit_code = 124
    retryable = True

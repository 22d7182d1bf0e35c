"""The exception tree: what failed and where, why, what to do next, and which exit code it means.

Here lives every error that a user may see. Not here: formatting (output.render prints them) and foreign
exceptions (they are translated where they enter, with the cause kept by ``raise ... from``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class RancherctlError(Exception):
    """A failure a user can act on.

    ``what`` is one line: what failed and where. ``why`` is one line: the cause as far as known.
    ``hint`` is one line: what to do next. ``retryable`` says whether the same call may succeed later.
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
    """The command line or an input file is wrong; nothing was changed."""

    exit_code = 2


class Problem(str):
    """One finding about an input: ``place: message (remedy)``, already a whole line."""

    __slots__ = ()


class InvalidInputError(UsageError):
    """A file or a set of hosts has problems; all of them are listed at once in ``problems``."""

    def __init__(self, what: str, problems: Sequence[str], *, hint: str = "") -> None:
        super().__init__(what, why="; ".join(problems), hint=hint)
        self.problems = tuple(problems)


class PreflightError(RancherctlError):
    """Hosts are not fit for the change; all findings are in ``problems``; nothing was changed."""

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
    """Somebody else's change stands in the way (resource version, foreign object, name taken)."""

    exit_code = 5


class LockedError(ConflictError):
    """Another operator holds the environment; ``what`` says who, since when and for what."""

    retryable = True


class RefusedError(RancherctlError):
    """A plan is dangerous and was refused with its numbers; forcing is explicit and for one run."""

    exit_code = 5


class PartialError(RancherctlError):
    """Some hosts or members failed; ``failures`` maps each to one line."""

    exit_code = 6

    def __init__(self, what: str, failures: dict[str, str], *, hint: str = "") -> None:
        super().__init__(what, why="; ".join(f"{k}: {v}" for k, v in sorted(failures.items())), hint=hint)
        self.failures = dict(failures)


class UnreachableError(RancherctlError):
    """No connection to a host or an API within the time limit: its state is unknown, not absent."""

    exit_code = 7
    retryable = True


class TimeoutExceededError(RancherctlError):
    """A wait ended without its condition becoming true."""

    exit_code = 124
    retryable = True

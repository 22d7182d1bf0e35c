"""Repeat a login whose connection the server dropped; the same for every implementation of ssh."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from rancherctl.errors import UnreachableError

DROPS: Final = 6
"""Connections in a row that the server may drop before the login (MaxStartups) until the host counts as unreachable."""
PROXY_DROPS: Final = 3
"""The same through a ProxyCommand, where most ends come from the command itself."""
T = TypeVar("T")


class DroppedError(Exception):
    """The server closed the connection before the login began: it may have too many connections."""


def repeated(
    login: Callable[[], T],
    name: str,
    *,
    by_command: bool,
    closed: threading.Event,
    backoff: Callable[[int], float],
) -> T:
    """The result of ``login``, tried again after a DroppedError; UnreachableError after too many, or when ``closed``.

    ``name`` is the host's for messages; ``by_command``: through a ProxyCommand.
    """
    limit = PROXY_DROPS if by_command else DROPS
    for attempt in range(1, limit + 1):
        try:
            return login()
        except DroppedError as error:
            if attempt == limit or closed.wait(backoff(attempt)):
                raise UnreachableError(
                    f"{name}: the server dropped {attempt} connections before the login",
                    why=str(error),
                    hint="check that this is an ssh server and that it allows this many connections",
                ) from error
    raise AssertionError

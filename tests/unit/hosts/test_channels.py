"""Opening one more session on a connection: refusals are retried, a lost connection fails at once."""

from __future__ import annotations

from typing import Any

import paramiko
import pytest

from rancherctl.errors import UnreachableError
from rancherctl.hosts.ssh.transport import DROPS, SshTransport
from rancherctl.hosts.ssh_settings import SshSettings

REFUSED = paramiko.ChannelException(2, "Connect failed")
NO_WHY = paramiko.SSHException("Unable to open channel.")
"""paramiko raises this in the threads that do not get the reason: it keeps one reason for all of them."""


class Server:
    """A connection whose first sessions end in these errors."""

    def __init__(self, *errors: Exception, active: bool = True) -> None:
        self.errors, self.active = list(errors), active

    def open_session(self, timeout: float) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "channel"

    def is_active(self) -> bool:
        return self.active


def channel(server: Any) -> Any:
    return SshTransport(SshSettings("10.0.0.1", 22, "root"), name="h1", backoff=lambda _: 0.0)._channel(server)


def test_refusals_of_several_sessions_at_once_are_all_retried() -> None:
    assert channel(Server(REFUSED, NO_WHY, NO_WHY, REFUSED)) == "channel"


def test_a_server_that_refuses_every_session_is_unreachable() -> None:
    with pytest.raises(UnreachableError, match="refuses more sessions"):
        channel(Server(*[NO_WHY] * DROPS))


@pytest.mark.parametrize("error", [NO_WHY, EOFError(), OSError("Socket is closed")])
def test_a_lost_connection_is_not_retried(error: Exception) -> None:
    server = Server(error, active=False)
    with pytest.raises(UnreachableError, match="connection lost"):
        channel(server)

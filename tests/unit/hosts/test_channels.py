"""A place for one more command on a connection: refusals are waited out, a cut connection is told at once."""

from __future__ import annotations

from typing import Any

import paramiko
import pytest

from rancherctl.errors import UnreachableError
from rancherctl.hosts.ssh.transport import DROPS, SshTransport
from rancherctl.hosts.ssh_settings import SshSettings

REFUSED = paramiko.ChannelException(2, "Connect failed")
NO_WHY = paramiko.SSHException("Unable to open channel.")
"""What the library raises in the threads that do not get the reason: it keeps one for all of them."""


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


def test_refusals_of_several_sessions_at_once_are_all_waited_out() -> None:
    assert channel(Server(REFUSED, NO_WHY, NO_WHY, REFUSED)) == "channel"


def test_a_server_without_places_is_told_as_that() -> None:
    with pytest.raises(UnreachableError, match="opens no more sessions"):
        channel(Server(*[NO_WHY] * DROPS))


@pytest.mark.parametrize("error", [NO_WHY, EOFError(), OSError("Socket is closed")])
def test_a_cut_connection_is_not_waited_for(error: Exception) -> None:
    server = Server(error, active=False)
    with pytest.raises(UnreachableError, match="the connection was cut"):
        channel(server)

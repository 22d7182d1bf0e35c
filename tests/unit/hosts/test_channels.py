"""Opening one more session on a connection: refusals are retried, a lost connection fails at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import paramiko
import pytest

from rancherctl.errors import UnreachableError
from rancherctl.hosts.command import command
from rancherctl.hosts.prompts import Prompts, SudoLogin
from rancherctl.hosts.remote_host import CHANNELS, REFUSALS, ConnectionLostError, RemoteHost, SessionRefusedError
from rancherctl.hosts.session_slots import SessionSlots
from rancherctl.hosts.ssh.transport import ParamikoConnection

REFUSED = paramiko.ChannelException(2, "Connect failed")
NO_WHY = paramiko.SSHException("Unable to open channel.")
"""paramiko raises this in the threads that do not get the reason: it keeps one reason for all of them."""


class Server:
    """paramiko's connection, whose sessions end in this error."""

    def __init__(self, error: Exception, active: bool) -> None:
        self.error, self.active = error, active

    def open_session(self, timeout: float) -> Any:
        raise self.error

    def is_active(self) -> bool:
        return self.active


class Channel:
    """A command that says nothing and succeeds; or one that cannot start."""

    def __init__(self, refusal: Exception | None) -> None:
        self.refusal = refusal

    def start(self, line: str) -> None:
        if self.refusal is not None:
            raise self.refusal

    def set_timeout(self, seconds: float) -> None: ...
    def write(self, data: memoryview) -> None: ...
    def end_input(self) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def close(self) -> None: ...
    def read_output(self, size: int) -> bytes:
        return b""

    def read_errors(self, size: int) -> bytes:
        return b""

    def status(self) -> int:
        return 0


class Connected:
    """A connection whose first channels end in these errors, at opening (paramiko) or at the start (OpenSSH)."""

    def __init__(self, *errors: Exception, at_start: bool) -> None:
        self.errors, self.at_start = list(errors), at_start

    def channel(self) -> Channel:
        error = self.errors.pop(0) if self.errors else None
        if error is not None and not self.at_start:
            raise error
        return Channel(error)

    def is_active(self) -> bool:
        return True

    def still_active(self) -> bool:
        return True

    def open_tcp(self, address: str, port: int) -> Any:
        raise AssertionError

    def close(self) -> None: ...


def host(connection: Connected) -> RemoteHost[Connected]:
    return RemoteHost(
        "h1",
        lambda: connection,
        SudoLogin("root", "h1"),
        Prompts(),
        closed=threading.Event(),
        backoff=lambda _: 0.0,
    )


@pytest.mark.parametrize("at_start", [False, True])
def test_refusals_of_sessions_are_retried(at_start: bool) -> None:
    refusals = [SessionRefusedError("no more")] * (REFUSALS - 1)
    assert host(Connected(*refusals, at_start=at_start)).run(command("true")).ok


@pytest.mark.parametrize("at_start", [False, True])
def test_a_server_that_refuses_every_session_is_unreachable(at_start: bool) -> None:
    made = host(Connected(*[SessionRefusedError("no more")] * REFUSALS, at_start=at_start))
    with pytest.raises(UnreachableError, match="refuses more sessions: no more"):
        made.run(command("true"))


@pytest.mark.parametrize("at_start", [False, True])
def test_a_lost_connection_is_not_retried(at_start: bool) -> None:
    made = host(Connected(ConnectionLostError("closed"), at_start=at_start))
    with pytest.raises(UnreachableError, match="connection lost: closed"):
        made.run(command("true"))


@pytest.mark.parametrize("error", [REFUSED, NO_WHY])
def test_refusals_of_several_sessions_at_once_all_count_as_refusals(error: Exception) -> None:
    connection: Any = Server(error, active=True)
    with pytest.raises(SessionRefusedError):
        ParamikoConnection(connection).channel()


@pytest.mark.parametrize("error", [NO_WHY, EOFError(), OSError("Socket is closed")])
def test_an_error_of_a_closed_connection_means_that_it_is_lost(error: Exception) -> None:
    connection: Any = Server(error, active=False)
    with pytest.raises(ConnectionLostError):
        ParamikoConnection(connection).channel()


class Narrow(Connected):
    """A server that allows two sessions at once."""

    def __init__(self) -> None:
        super().__init__(at_start=False)
        self.lock, self.running, self.most, self.refusals = threading.Lock(), 0, 0, 0
        self.both = threading.Event()

    def channel(self) -> Channel:
        with self.lock:
            if self.running == 2:
                self.refusals += 1
                self.both.set()
                raise SessionRefusedError("no more")
            self.running += 1
            return Waiting(self)


class Waiting(Channel):
    """A command that ends only after another one was refused."""

    def __init__(self, server: Narrow) -> None:
        super().__init__(None)
        self.server = server

    def wait(self, seconds: float) -> None:
        assert self.server.both.wait(60)
        with self.server.lock:
            self.server.running -= 1


def test_a_command_that_is_refused_waits_for_another_to_end_and_the_limit_is_remembered() -> None:
    """However long the others take: a refusal beside them does not end the command."""
    server = Narrow()
    made = host(server)
    with ThreadPoolExecutor(12) as pool:
        assert all(result.ok for result in pool.map(lambda _: made.run(command("true")), range(40)))
    assert 1 <= server.refusals <= CHANNELS


def test_the_limit_of_sessions_shrinks_to_those_that_run_and_never_to_none() -> None:
    slots = SessionSlots(8)
    with slots, slots, slots:
        assert slots.refused()
    assert slots.limit == 2
    with slots:
        assert not slots.refused()
    assert slots.limit == 1

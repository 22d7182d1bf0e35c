"""A host that was taken over, or is broken, answers what it likes: that is its own failure, and neither the run's nor the operator's memory's."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from rancherctl.environments import remote_program
from rancherctl.errors import RancherctlError
from rancherctl.hosts import session
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.helper import HostStepError, answer_of
from rancherctl.hosts.session import Session
from rancherctl.hosts.transport import json_of

COMMAND = Command(("look",))
DEEP = b"[" * 100_000
ANSWERS = [b'{"ok": ' + DEEP, b'{"ok": {"done": ["x"', b'{"ok": "\xff\xfe"}', b'{"error": }']


def result(stdout: bytes) -> Result:
    return Result(COMMAND, 0, stdout, b"")


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_that_cannot_be_read_is_that_hosts_failure(text: bytes) -> None:
    with pytest.raises(HostStepError, match=r"h1: .* cannot be read"):
        answer_of("h1", result(text))


@pytest.mark.parametrize("text", ANSWERS)
def test_so_it_is_with_the_programs_of_environments(text: bytes) -> None:
    class Host:
        name = "h1"

        def run(self, command: Command, *, check: bool = True) -> Result:
            return result(text)

    with pytest.raises(RancherctlError, match=r"h1: .* cannot be read"):
        remote_program.call(Host(), "rancherctl.environments.pki", {"op": "observe"})  # type: ignore[arg-type]


def test_and_with_what_programs_print() -> None:
    with pytest.raises(RancherctlError, match="gave no answer"):
        json_of("h1", result(DEEP))


class Endless:
    """A channel whose output never ends."""

    exit_status, eof_received = 0, 0

    def __init__(self, *, errors: bool) -> None:
        self.status_event, self._errors, self._closed = threading.Event(), errors, threading.Event()
        self.given = 0

    def settimeout(self, timeout: float | None) -> None: ...
    def exec_command(self, command: str) -> None: ...
    def sendall(self, s: Any) -> None: ...
    def shutdown_write(self) -> None: ...

    def _read(self, size: int, endless: bool) -> bytes:
        if not endless:
            self._closed.wait(10.0)
        if self._closed.is_set():
            return b""
        self.given += size
        return b"x" * size

    def recv(self, nbytes: int) -> bytes:
        return self._read(nbytes, not self._errors)

    def recv_stderr(self, nbytes: int) -> bytes:
        return self._read(nbytes, self._errors)

    def close(self) -> None:
        self._closed.set()
        self.status_event.set()  # as the library does


@pytest.mark.parametrize("errors", [False, True])
def test_output_without_end_is_cut(monkeypatch: pytest.MonkeyPatch, errors: bool) -> None:
    monkeypatch.setattr(session, "MOST", 8 << 20)
    channel = Endless(errors=errors)
    with pytest.raises(RancherctlError, match="h1: look printed more than 8 MiB") as caught:
        Session(channel, COMMAND, where="h1", alive=lambda: True).run(())
    assert not caught.value.retryable
    assert channel.given <= (8 << 20) + 2 * session.READ

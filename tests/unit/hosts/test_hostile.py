"""A compromised or broken host may answer anything.

Only that host fails, and the operator's memory is bounded.
"""

from __future__ import annotations

import threading

import pytest

from rancherctl.errors import RancherctlError
from rancherctl.hosts import session
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.remote_call import HostStepError, answer_of, call
from rancherctl.hosts.session import Session

COMMAND = Command(("look",))
DEEP = b"[" * 100_000
ANSWERS = [b'{"ok": ' + DEEP, b'{"ok": {"done": ["x"', b'{"ok": "\xff\xfe"}', b'{"error": }']


def result(stdout: bytes) -> Result:
    return Result(COMMAND, 0, stdout, b"")


@pytest.mark.parametrize("text", ANSWERS)
def test_an_unreadable_answer_is_a_failure_of_that_host(text: bytes) -> None:
    with pytest.raises(HostStepError, match=r"h1: .* cannot be read"):
        answer_of("h1", result(text), "observe")


@pytest.mark.parametrize("text", ANSWERS)
def test_an_unreadable_answer_of_a_program_outside_hosts_is_the_same_failure(text: bytes) -> None:
    class Host:
        name = "h1"

        def run(self, command: Command, *, check: bool = True) -> Result:
            return result(text)

    with pytest.raises(HostStepError, match=r"h1: the answer of pki observe cannot be read"):
        call(Host(), {"op": "observe"}, module="rancherctl.environments.pki.remote")  # type: ignore[arg-type]


class Endless:
    """A channel whose output never ends."""

    def __init__(self, *, errors: bool) -> None:
        self._errors, self._closed = errors, threading.Event()
        self.given = 0

    def set_timeout(self, seconds: float) -> None: ...
    def start(self, line: str) -> None: ...
    def write(self, data: memoryview) -> None: ...
    def end_input(self) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def status(self) -> int | None:
        return 0

    def _read(self, size: int, endless: bool) -> bytes:
        if not endless:
            self._closed.wait(10.0)
        if self._closed.is_set():
            return b""
        self.given += size
        return b"x" * size

    def read_output(self, nbytes: int) -> bytes:
        return self._read(nbytes, not self._errors)

    def read_errors(self, nbytes: int) -> bytes:
        return self._read(nbytes, self._errors)

    def close(self) -> None:
        self._closed.set()


@pytest.mark.parametrize("errors", [False, True])
def test_endless_output_is_limited(monkeypatch: pytest.MonkeyPatch, errors: bool) -> None:
    monkeypatch.setattr(session, "MAX_OUTPUT", 8 << 20)
    channel = Endless(errors=errors)
    with pytest.raises(RancherctlError, match="h1: look printed more than 8 MiB") as caught:
        Session(channel, COMMAND, where="h1", alive=lambda: True).run(())
    assert not caught.value.retryable
    assert channel.given <= (8 << 20) + 2 * session.READ

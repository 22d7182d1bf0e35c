"""The program that asks a member's health URL on its own host, against a real HTTP server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rancherctl.environments.member_health import problem
from rancherctl.errors import UnreachableError
from rancherctl.hosts.command import Command, Result


class ThisMachine:
    """A transport that runs the command here."""

    name = "h1"

    def run(self, command: Command, *, check: bool = True) -> Result:
        done = subprocess.run(command.argv, input=command.stdin, capture_output=True, timeout=60, check=False)
        return Result(command, done.returncode, done.stdout, done.stderr)


class Unreachable:
    name = "h1"

    def run(self, command: Command, *, check: bool = True) -> Result:
        raise UnreachableError("h1: no answer")


class Health(BaseHTTPRequestHandler):
    """/health as etcd has it: 200, or 503 without a quorum."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_member_that_answers_with_success_is_healthy_whatever_proxy_the_host_has(url: str) -> None:
    assert problem(ThisMachine(), f"{url}/health") == ""  # type: ignore[arg-type]


def test_an_error_status_is_the_problem(url: str) -> None:
    assert problem(ThisMachine(), f"{url}/lost") == "HTTP Error 503: Service Unavailable"  # type: ignore[arg-type]


def test_a_closed_port_is_the_problem() -> None:
    assert "refused" in problem(ThisMachine(), "http://127.0.0.1:1/health")  # type: ignore[arg-type]


def test_an_unreachable_host_is_the_problem() -> None:
    assert problem(Unreachable(), "http://127.0.0.1:1/health") == "h1: no answer"  # type: ignore[arg-type]

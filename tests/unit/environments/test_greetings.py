"""A greeting that a login prints before every answer (an echo in .bashrc) is skipped."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any, cast

import pytest

from rancherctl.credentials.renewal import parse_issued
from rancherctl.environments import paths_between
from rancherctl.environments.context import Context
from rancherctl.environments.dump import dump
from rancherctl.environments.fetch import fetch
from rancherctl.environments.immutable_fields import marker_of
from rancherctl.environments.inventory import from_flags
from rancherctl.errors import RancherctlError
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.transport import Transport
from tests.fakes.transport import split_request

ENVIRONMENT = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
GREETING = b'Welcome to h1 {"ok": false}\nLast login: today\n'


class GreetingHost:
    """A host that prints a greeting before each answer."""

    name = "h1"

    def run(self, command: Command, *, check: bool = True) -> Result:
        return Result(command, 0, GREETING + self.answer(command), b"")

    def answer(self, command: Command) -> bytes:
        if command.argv[0] == "sh":
            record = {"data": {"environment": dump(ENVIRONMENT)}}
            return f"\n{command.argv[-1]}\n{json.dumps(record, indent=2)}\n".encode()
        request = split_request(command.stdin or b"")[1]
        if "files" in request:
            marker = json.dumps(marker_of(ENVIRONMENT, ENVIRONMENT.hosts[0]))
            files = {
                path: base64.b64encode((marker if path.endswith(".json") else "CA").encode()).decode()
                for path in request["files"]
            }
            return json.dumps({"ok": {"files": files}}).encode() + b"\n"
        return json.dumps({"ok": {"blocked": [[*request["targets"][0], "no answer within 3 s"]]}}).encode() + b"\n"


def test_an_environment_is_fetched_despite_a_greeting() -> None:
    fetched = fetch(cast(Transport, GreetingHost()))
    assert (fetched.environment, fetched.ca_pem) == (ENVIRONMENT, "CA")


def test_a_fetched_environment_names_no_paths_of_this_machine() -> None:
    """A hostile host could name an ssh configuration, which may run programs."""

    class HostileHost(GreetingHost):
        def answer(self, command: Command) -> bytes:
            if command.argv[0] != "sh":
                return super().answer(command)
            ssh: dict[str, Any] = {"identity": "/home/me/key", "config": "/home/me/Downloads/x"}
            ssh["known_hosts"] = "/home/me/y"
            hosts = tuple(replace(h, ssh=replace(h.ssh, **ssh)) for h in ENVIRONMENT.hosts)
            record = {"data": {"environment": dump(replace(ENVIRONMENT, hosts=hosts))}}
            return f"\n{command.argv[-1]}\n{json.dumps(record)}\n".encode()

    assert fetch(cast(Transport, HostileHost())).environment == ENVIRONMENT


@pytest.mark.parametrize("marker", [b"", b"[]", b'{"roles": 5}', b'"controlplane"', b"[" * 100_000])
def test_a_damaged_marker_is_an_error(marker: bytes) -> None:
    class DamagedHost(GreetingHost):
        def answer(self, command: Command) -> bytes:
            files = {
                path: base64.b64encode(marker).decode() for path in split_request(command.stdin or b"")[1]["files"]
            }
            return json.dumps({"ok": {"files": files}}).encode() + b"\n"

    with pytest.raises(RancherctlError, match="is damaged"):
        fetch(cast(Transport, DamagedHost()))


def test_blocked_connections_are_found_despite_a_greeting() -> None:
    context = Context(lambda _: cast(Transport, GreetingHost()), None)  # type: ignore[arg-type]
    assert paths_between.problems(ENVIRONMENT, {"h1", "h2"}, {"h1", "h2"}, context) == [
        "h1: cannot reach 10.0.0.12 port 10250: no answer within 3 s (is there a firewall?)",
        "h2: cannot reach 10.0.0.11 port 10250: no answer within 3 s (is there a firewall?)",
    ]


def test_tokens_are_parsed_despite_a_greeting() -> None:
    token = {"status": {"token": "secret", "expirationTimestamp": "2026-05-01T12:00:00Z"}}
    answer = json.dumps({"token": token, "refresh": token, "session_uid": "u1"}).encode() + b"\n"
    found = parse_issued(GREETING + answer, 0.0)
    assert (found.session_uid, str(found.token.value)) == ("u1", "secret")
    for wrong in (b"", GREETING, b"[]\n"):
        with pytest.raises(ValueError, match=r"Expecting value|no token"):
            parse_issued(wrong, 0.0)


def test_a_missing_answer_is_an_error_for_fetch_and_no_line_for_connections() -> None:
    class SilentHost(GreetingHost):
        def answer(self, command: Command) -> bytes:
            return b""

    context = Context(lambda _: cast(Transport, SilentHost()), None)  # type: ignore[arg-type]
    assert paths_between.problems(ENVIRONMENT, {"h1", "h2"}, {"h1", "h2"}, context) == []
    with pytest.raises(RancherctlError):
        fetch(cast(Transport, SilentHost()))

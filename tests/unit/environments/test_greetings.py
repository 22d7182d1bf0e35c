"""A login that prints a greeting before every answer (an echo in .bashrc) spoils no answer of a host."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import cast

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


class Greeter:
    """A host whose answers come after a greeting."""

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


def test_an_environment_is_fetched_all_the_same() -> None:
    fetched = fetch(cast(Transport, Greeter()))
    assert (fetched.environment, fetched.ca_pem) == (ENVIRONMENT, "CA")


def test_no_files_of_this_machine_are_taken_from_a_host() -> None:
    """It could name an ssh configuration, which may run programs."""

    class Naming(Greeter):
        def answer(self, command: Command) -> bytes:
            if command.argv[0] != "sh":
                return super().answer(command)
            ssh = {"identity": "/home/me/key", "config": "/home/me/Downloads/x", "known_hosts": "/home/me/y"}
            hosts = tuple(replace(h, ssh=replace(h.ssh, **ssh)) for h in ENVIRONMENT.hosts)
            record = {"data": {"environment": dump(replace(ENVIRONMENT, hosts=hosts))}}
            return f"\n{command.argv[-1]}\n{json.dumps(record)}\n".encode()

    assert fetch(cast(Transport, Naming())).environment == ENVIRONMENT


@pytest.mark.parametrize("marker", [b"", b"[]", b'{"roles": 5}', b'"controlplane"', b"[" * 100_000])
def test_a_marker_of_odd_content_is_told(marker: bytes) -> None:
    class Odd(Greeter):
        def answer(self, command: Command) -> bytes:
            files = {
                path: base64.b64encode(marker).decode() for path in split_request(command.stdin or b"")[1]["files"]
            }
            return json.dumps({"ok": {"files": files}}).encode() + b"\n"

    with pytest.raises(RancherctlError, match="is damaged"):
        fetch(cast(Transport, Odd()))


def test_ways_between_hosts_are_told_all_the_same() -> None:
    context = Context(lambda _: cast(Transport, Greeter()), None)  # type: ignore[arg-type]
    assert paths_between.problems(ENVIRONMENT, {"h1", "h2"}, {"h1", "h2"}, context) == [
        "h1: does not reach 10.0.0.12 port 10250: no answer within 3 s (a firewall on the way?)",
        "h2: does not reach 10.0.0.11 port 10250: no answer within 3 s (a firewall on the way?)",
    ]


def test_tokens_are_taken_all_the_same() -> None:
    token = {"status": {"token": "secret", "expirationTimestamp": "2026-05-01T12:00:00Z"}}
    answer = json.dumps({"token": token, "refresh": token, "session_uid": "u1"}).encode() + b"\n"
    found = parse_issued(GREETING + answer, 0.0)
    assert (found.session_uid, str(found.token.value)) == ("u1", "secret")
    for wrong in (b"", GREETING, b"[]\n"):
        with pytest.raises(ValueError, match=r"Expecting value|no token"):
            parse_issued(wrong, 0.0)


def test_no_answer_at_all_is_an_error_of_that_host() -> None:
    class Silent(Greeter):
        def answer(self, command: Command) -> bytes:
            return b""

    context = Context(lambda _: cast(Transport, Silent()), None)  # type: ignore[arg-type]
    assert paths_between.problems(ENVIRONMENT, {"h1", "h2"}, {"h1", "h2"}, context) == []
    with pytest.raises(RancherctlError):
        fetch(cast(Transport, Silent()))

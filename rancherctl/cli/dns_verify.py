"""``rancherctl dns verify``: create the fixture, ask the servers, show the list, and choose the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rancherctl.cli.api import api
from rancherctl.cli.context import CommandRun
from rancherctl.cli.dns_hosts import host_queries, unreachable_error
from rancherctl.cli.dns_lookup import split_outcomes
from rancherctl.dns.lookup import Answer, query_many
from rancherctl.dns.operator import fixture as fixtures
from rancherctl.dns.operator import verification
from rancherctl.dns.operator.checklist import Question, checks
from rancherctl.dns.operator.fixture import Fixture
from rancherctl.dns.operator.verification import Answers, Ask, CheckResult, Server
from rancherctl.environments.model import Environment
from rancherctl.errors import UnhealthyError, UsageError
from rancherctl.names import is_dns_name
from rancherctl.net import join_host_port, parse_ip, parse_port, split_host_port
from rancherctl.output.dns_verify import check_listing
from rancherctl.text import plural

TIMEOUT = 60.0
"""Seconds for all questions to one host in one round; a server that does not answer is asked once."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the fixture is created: an environment, or the cluster of a kubeconfig context."""

    env: str | None
    context: str = ""
    allow_exec: bool = False


def server_address(text: str) -> str:
    """Check ``IP[:PORT]`` and return ADDRESS:PORT. UsageError if it is not one."""
    address, port = split_host_port(text)
    number = parse_port(port) if port is not None else 53
    ip = parse_ip(address)
    if ip is None or number is None:
        raise UsageError(
            f"{text!r} is not a valid server",
            why="an IP address, with a port if it is not 53",
            hint="--server 10.96.0.10, --server 10.0.0.1:5353 or --server '[fd00::1]:53'",
        )
    return join_host_port(str(ip), number)


@contextmanager
def _server(server: str) -> Iterator[Ask]:
    """Ask one server from here."""

    def ask(questions: Sequence[Question]) -> Answers:
        return {("", server): [part[0] for part in query_many(questions, (server,))]}

    yield ask


@contextmanager
def _every_host(run: CommandRun, environment: Environment, failures: dict[str, str]) -> Iterator[Ask]:
    """Ask the server of each host, at each of its addresses; hosts that fail get a line in ``failures``."""
    with host_queries(run) as query:

        def ask(questions: Sequence[Question]) -> Answers:
            words = [f"{name}/{kind}" for name, kind in questions]
            hosts = [host for host in environment.hosts if host.name not in failures]
            outcomes = query(hosts, "dns-ask", *words, timeout=TIMEOUT)
            if unreachable := unreachable_error(outcomes):
                raise unreachable
            values, failed = split_outcomes(outcomes)
            failures.update(failed)
            out: dict[Server, list[Answer]] = {}
            for host, value in values.items():
                for part in value["answers"]:
                    for answer in map(Answer.of, part):
                        out.setdefault((host, answer.server), []).append(answer)
            return out

        yield ask


def verify(run: CommandRun, target: Target, *, server: str, domain: str, timeout: float) -> None:
    """Check the servers of all hosts, or ``server`` (IP[:PORT]) from here, against the specification."""
    place = server_address(server) if server else ""
    if target.context and not server:
        raise UsageError(
            "--context requires --server",
            why="only the hosts of an environment are asked without it",
            hint="--server IP[:PORT]: the cluster DNS as it is reached from here",
        )
    environment = None if target.context else run.environment(target.env)
    name = _domain(domain) or (environment.dns.domain if environment else "cluster.local")
    failures: dict[str, str] = {}
    asking = _server(place) if environment is None or place else _every_host(run, environment, failures)
    with (
        api(run, target.env, target.context, target.allow_exec) as client,
        fixtures.created(client, Fixture.new(name), run.say) as fixture,
        asking as ask,
    ):
        results = verification.verify(fixture, checks(fixture), ask, timeout)
    _report(run, results, fixture, failures)


def _domain(text: str) -> str:
    name = text.strip(".").lower()
    if text and not is_dns_name(name):
        raise UsageError(f"{text!r} is not a valid domain", hint="--domain cluster.local")
    return name


def _report(run: CommandRun, results: Sequence[CheckResult], fixture: Fixture, failures: Mapping[str, str]) -> None:
    """Print the list. UnhealthyError if a check failed, PartialError if hosts could not be asked."""
    rows = verification.rows(results, fixture)
    counts = Counter(row["result"] for row in rows)
    failed = {f"{row['number']}": row["says"] for row in rows if row["result"] == "failed"}
    run.show(check_listing(rows, failures), fail=not failed)
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    asked = {server for one in results for server in one.servers}
    if failed:
        raise UnhealthyError(
            f"{plural(len(failed), 'check')} of {len(rows)} failed{skipped}",
            {f"check {number:>2}": says for number, says in failed.items()},
        )
    run.say(
        f"{counts['passed']} of {plural(len(rows), 'check')} passed{skipped} ({plural(len(asked), 'server')} asked)"
    )

"""Asking until servers answer as specified, within the time limit."""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.dns.lookup import Answer
from rancherctl.dns.operator.checklist import Check, Question
from rancherctl.dns.operator.fixture import Fixture
from rancherctl.dns.operator.verification import Answers, Server, rows, verify
from rancherctl.output.dns_verify import check_listing
from rancherctl.output.render import render

FIXTURE = Fixture("cluster.local", "0a0b0c", {"cluster": ("10.43.0.7",)})
LAST = (f"last-0.last.{FIXTURE.zone}", "A")
WEB = Check("2.3.1", "A of a Service", f"cluster.{FIXTURE.zone}", "A", "exactly", ("10.43.0.7",))
SKIPPED = Check("2.3.1", "AAAA of a Service", "", "AAAA", "exactly", (), "no IPv6")
H1, H2 = ("h1", "10.43.0.10"), ("h2", "10.43.0.10")


class Servers:
    """Answers that appear after some rounds; time passes with every round."""

    def __init__(self, *servers: Server, after: int = 0, wrong: Server | None = None) -> None:
        self._servers, self._after, self._wrong = servers, after, wrong
        self.rounds: list[list[Question]] = []

    def clock(self) -> float:
        return float(len(self.rounds))

    def ask(self, questions: Sequence[Question]) -> Answers:
        self.rounds.append(list(questions))
        return {server: [self._answer(server, one) for one in questions] for server in self._servers}

    def _answer(self, server: Server, question: Question) -> Answer:
        if len(self.rounds) <= self._after or (server == self._wrong and question != LAST):
            return Answer(server[1], "NXDOMAIN")
        data = {LAST: FIXTURE.v4(60), WEB.question: "10.43.0.7"}[question]
        return Answer(server[1], "NOERROR", ((question[0], 5, question[1], data),))


def look(servers: Servers, *checks: Check, timeout: float = 6) -> list[dict[str, object]]:
    return rows(verify(FIXTURE, checks, servers.ask, timeout, clock=servers.clock), FIXTURE)


def test_nothing_else_is_asked_before_the_last_object_is_answered() -> None:
    servers = Servers(H1, after=1)
    assert [row["result"] for row in look(servers, WEB, SKIPPED)] == ["passed", "skipped"]
    assert servers.rounds == [[LAST], [LAST], [WEB.question]]


def test_only_what_has_failed_is_asked_again_until_the_time_limit() -> None:
    servers = Servers(H1, H2, wrong=H2)
    (row,) = look(servers, WEB)
    assert row["result"] == "failed"
    assert row["servers"] == [
        {"host": "h1", "server": "10.43.0.10", "passed": True, "answered": "10.43.0.7"},
        {"host": "h2", "server": "10.43.0.10", "passed": False, "answered": "NXDOMAIN"},
    ]
    assert len(servers.rounds) < 10


def test_a_server_that_never_answers_ends_within_the_time_limit() -> None:
    servers = Servers(H1, after=1000)
    assert [row["result"] for row in look(servers, WEB)] == ["failed"]
    assert len(servers.rounds) < 12


def test_the_table_names_the_servers_that_failed() -> None:
    text = render(check_listing(look(Servers(H1, H2, wrong=H2), WEB, SKIPPED), {}), "table").splitlines()
    assert text[1].split() == [
        *("1", "failed", "2.3.1", "A", "of", "a", "Service", "cluster", "A", "10.43.0.7"),
        *("10.43.0.10", "on", "h2:", "NXDOMAIN"),
    ]
    assert text[2].split()[:3] == ["2", "skipped", "2.3.1"]
    assert text[2].endswith("no IPv6")

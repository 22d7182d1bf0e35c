"""Ask servers the questions of the checklist until they answer them as specified, or a deadline has passed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rancherctl.dns.lookup import Answer
from rancherctl.dns.operator.checklist import Check, Judgement, Question, judge
from rancherctl.dns.operator.fixture import Fixture
from rancherctl.polling import poll_until

Server = tuple[str, str]
"""Host ("" if it was asked from here), and address of the server."""
Answers = Mapping[Server, Sequence[Answer]]
Ask = Callable[[Sequence[Question]], Answers]
"""Ask all servers all questions; the answers are in the order of the questions."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check with the judgement of each server; none if it was skipped."""

    check: Check
    servers: Mapping[Server, Judgement]

    @property
    def passed(self) -> bool:
        """Whether all servers answered as specified."""
        return all(judgement.passed for judgement in self.servers.values())


@dataclass(slots=True)
class _Run:
    """``settled`` are judgements by check; a server that has passed a check is not asked again."""

    checks: Sequence[Check]
    ask: Ask
    found: dict[int, dict[Server, Judgement]] = field(default_factory=dict)

    def round(self) -> bool:
        """Ask what has not been answered as specified; whether all of it is now."""
        pending = [n for n, check in enumerate(self.checks) if not check.skip and not self._passed(n)]
        answers = self.ask([self.checks[n].question for n in pending])
        for server, part in answers.items():
            for number, answer in zip(pending, part, strict=True):
                self._note(number, server, judge(self.checks[number], answer))
        self._follow(pending, answers)
        return all(self._passed(n) for n in pending)

    def _follow(self, pending: Sequence[int], answers: Answers) -> None:
        """Ask for the names that the answers of some checks have."""
        targets: dict[tuple[int, Server], tuple[Answer, str]] = {}
        for server, part in answers.items():
            for number, answer in zip(pending, part, strict=True):
                if self.checks[number].rule == "follow" and (data := answer.data("PTR")):
                    targets[number, server] = (answer, data[0])
        questions = list(dict.fromkeys((name, "A") for _, name in targets.values()))
        if not questions:
            return
        second = self.ask(questions)
        for (number, server), (answer, name) in targets.items():
            if server in second:
                follow = second[server][questions.index((name, "A"))]
                self._note(number, server, judge(self.checks[number], answer, follow))

    def _note(self, number: int, server: Server, judgement: Judgement) -> None:
        known = self.found.setdefault(number, {})
        if server not in known or not known[server].passed:
            known[server] = judgement

    def _passed(self, number: int) -> bool:
        known = self.found.get(number)
        return bool(known) and all(judgement.passed for judgement in (known or {}).values())


def sentinel(fixture: Fixture) -> Check:
    """The check of what was created last: a server that answers it has seen everything before it.

    Caches in front of a server keep "does not exist" for a while, so nothing else is asked before.
    """
    name = f"last-0.last.{fixture.zone}"
    return Check("", "", name, "A", "exactly", (fixture.v4(60),))


def verify(
    fixture: Fixture, checks: Sequence[Check], ask: Ask, timeout: float, *, clock: Callable[[], float] = time.monotonic
) -> list[CheckResult]:
    """Judge the answers of all servers, asked again with a growing pause for ``timeout`` seconds at most."""
    deadline = clock() + timeout
    first = _Run([sentinel(fixture)], ask)
    poll_until(first.round, timeout / 2, clock=clock)
    run = _Run(checks, ask)
    poll_until(run.round, max(0.0, deadline - clock()), clock=clock)
    return [CheckResult(check, run.found.get(number, {})) for number, check in enumerate(checks)]


def rows(results: Sequence[CheckResult], fixture: Fixture) -> list[dict[str, Any]]:
    """The results as JSON values, one for each check, numbered from 1."""
    return [
        {
            "number": number,
            "section": one.check.section,
            "says": one.check.says,
            "name": one.check.name,
            "type": one.check.type,
            "expected": one.check.wanted(),
            "result": "skipped" if one.check.skip else "passed" if one.passed and one.servers else "failed",
            "skip": one.check.skip,
            "zone": fixture.zone,
            "servers": [
                {"host": host, "server": server, "passed": judgement.passed, "answered": judgement.answered}
                for (host, server), judgement in one.servers.items()
            ],
        }
        for number, one in enumerate(results, 1)
    ]

"""What ``dns lookup`` makes of the answers of all hosts: one answer, or who differs; and the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rancherctl.cli.context import Run
from rancherctl.dns.lookup import Answer, compare
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError, UnreachableError, UsageError
from rancherctl.hosts.fanout import Outcome
from rancherctl.output.dns import answer_listing, answer_record


@dataclass(frozen=True, slots=True)
class Said:
    """The answers of each host to one question; ``failures`` are hosts that could not be asked."""

    name: str
    kind: str
    answers: Mapping[str, tuple[Answer, ...]]
    failures: Mapping[str, str]

    @classmethod
    def of(cls, outcomes: Mapping[str, Outcome[Any]]) -> Said:
        """From what the hosts printed. When none could be asked, or the question itself is wrong, that error is raised."""
        good = {o.host: o.get() for o in outcomes.values() if o.error is None}
        bad: dict[str, RancherctlError] = {o.host: o.error for o in outcomes.values() if o.error is not None}
        for error in bad.values():
            if isinstance(error, UsageError) or not good:
                raise error
        one = next(iter(good.values()))
        answers = {host: tuple(map(Answer.of, value["answers"])) for host, value in good.items()}
        return cls(one["name"], one["type"], answers, {host: str(error) for host, error in bad.items()})


def show(run: Run, said: Said, *, every: bool) -> None:
    """Print, then raise: NotFoundError (no such name), ConflictError (servers differ), UnreachableError; PartialError for hosts not asked."""
    found = compare(said.answers)
    if every or found.differing or found.common is None:
        run.show(answer_listing(said.answers, found, said.failures))
    else:
        _missing(said, found.common)
        run.show(answer_record(said.name, said.kind, found.common, len(said.answers), said.failures))
    if found.common is None:
        raise UnreachableError(f"no server answered for {said.name} {said.kind}", hint="rancherctl dns status")
    if found.differing:
        raise ConflictError(
            f"{len(found.differing)} servers differ for {said.name} {said.kind}",
            why=", ".join(f"{server} on {host}" for host, server in found.differing),
            hint="a change needs some milliseconds to be everywhere; `rancherctl dns status` shows who is behind",
        )
    _missing(said, found.common)


def _missing(said: Said, common: Answer) -> None:
    if common.rcode == "NXDOMAIN":
        raise NotFoundError(f"{said.name} does not exist", hint="rancherctl dns ls SERVICE shows the names of a service")
    if common.rcode != "NOERROR":
        raise RancherctlError(f"{said.name} {said.kind}: the servers answer {common.rcode}", hint="rancherctl dns status")

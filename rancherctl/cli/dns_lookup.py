"""What ``dns lookup`` makes of the answers of all hosts: one answer, or who differs; and the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.cli.context import CommandRun
from rancherctl.dns.lookup import Answer, Comparison, compare
from rancherctl.errors import ConflictError, NotFoundError, PartialError, RancherctlError, UnreachableError, UsageError
from rancherctl.hosts.fanout import HostOutcome
from rancherctl.output.dns import answer_listing, answer_record


@dataclass(frozen=True, slots=True)
class Said:
    """The answers of each host to one question; ``failures`` are hosts that could not be asked."""

    name: str
    kind: str
    answers: Mapping[str, tuple[Answer, ...]]
    failures: Mapping[str, str]

    @classmethod
    def of(cls, outcomes: Mapping[str, HostOutcome[Any]]) -> Said:
        """From what the hosts printed. When none could be asked that error is raised; where the question itself is wrong, all say so."""
        good = {o.host: o.get() for o in outcomes.values() if o.error is None}
        bad: dict[str, RancherctlError] = {o.host: o.error for o in outcomes.values() if o.error is not None}
        if not good:
            raise next((error for error in bad.values() if isinstance(error, UsageError)), next(iter(bad.values())))
        one = next(iter(good.values()))
        answers = {host: tuple(map(Answer.of, value["answers"])) for host, value in good.items()}
        return cls(one["name"], one["type"], answers, {host: str(error) for host, error in bad.items()})


def show(run: CommandRun, said: Said, *, every: bool) -> None:
    """Print, then raise: NotFoundError (no such name), ConflictError (servers differ), UnreachableError (nobody answers); PartialError for hosts
    that were not asked and servers that said nothing."""
    found = compare(said.answers)
    silent = _silent(said, found)
    if every or found.differing or found.common is None or (said.failures and found.common.rcode != "NOERROR"):
        run.show(answer_listing(said.answers, found, said.failures), fail=False)
    elif found.common.rcode == "NOERROR" or run.settings.output in ("json", "yaml"):
        run.show(answer_record(said.name, said.kind, found.common, len(said.answers), said.failures), fail=False)
    if found.common is None:
        raise UnreachableError(
            f"no server answered for {said.name} {said.kind}", why="; ".join(silent.values()), hint=STATUS
        )
    differing = [f"{server} on {host}" for host, server in found.differing if (host, server) not in found.silent]
    if differing:
        raise ConflictError(
            f"{len(differing)} server{'s differ' if len(differing) > 1 else ' differs'} for {said.name} {said.kind}",
            why=", ".join(differing),
            hint="a change needs some milliseconds to be everywhere; `rancherctl dns status` shows who is behind",
        )
    if silent or said.failures:
        missing = {**silent, **said.failures}
        raise PartialError(
            f"no answer from {', '.join(sorted(missing))}; all others say the same", missing, hint=STATUS
        )
    _missing(said, found.common)
    if not found.common.records:
        run.say(f"{said.name} has no {said.kind} records")


STATUS: Final = "rancherctl dns status, and rancherctl env status"


def _silent(said: Said, found: Comparison) -> dict[str, str]:
    """Host → which of its servers said nothing, and why."""
    out: dict[str, str] = {}
    for host, part in said.answers.items():
        why = [f"{answer.server}: {answer.error}" for answer in part if (host, answer.server) in found.silent]
        if why:
            out[host] = ", ".join(why)
    return out


def _missing(said: Said, common: Answer) -> None:
    bare = said.name.rstrip(".")
    hint = "rancherctl dns ls SERVICE shows the names of a service"
    if "." not in bare:
        hint = f"the full name of a service is {bare}.NAMESPACE.svc; rancherctl dns ls {bare} shows its names"
    if common.rcode == "NXDOMAIN":
        raise NotFoundError(f"{said.name} does not exist", hint=hint)
    if common.rcode != "NOERROR":
        raise RancherctlError(
            f"{said.name} {said.kind}: the servers answer {common.rcode}", hint=hint if "." not in bare else STATUS
        )

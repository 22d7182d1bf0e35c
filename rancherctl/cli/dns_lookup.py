"""Show the result of ``dns lookup``: one answer, or all of them if servers differ; and choose the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rancherctl.cli.context import CommandRun
from rancherctl.dns.lookup import Answer, Comparison, compare
from rancherctl.errors import ConflictError, NotFoundError, PartialError, RancherctlError, UnreachableError, UsageError
from rancherctl.hosts.fanout import HostOutcome
from rancherctl.output.dns import answer_listing, answer_record
from rancherctl.text import plural


@dataclass(frozen=True, slots=True)
class HostAnswers:
    """The answers of each host to one question; ``failures`` are hosts that could not be queried."""

    name: str
    kind: str
    answers: Mapping[str, tuple[Answer, ...]]
    failures: Mapping[str, str]

    @classmethod
    def of(cls, outcomes: Mapping[str, HostOutcome[Any]]) -> HostAnswers:
        """Parse the hosts' results. If all failed, raises the first error, or a UsageError if the question is wrong."""
        values, failures = split_outcomes(outcomes)
        one = next(iter(values.values()))
        answers = {host: tuple(map(Answer.of, value["answers"])) for host, value in values.items()}
        return cls(one["name"], one["type"], answers, failures)


def split_outcomes(outcomes: Mapping[str, HostOutcome[Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The results by host, and the failures. If all failed, raises the first error, or a UsageError if there is one."""
    values = {o.host: o.get() for o in outcomes.values() if o.error is None}
    errors: dict[str, RancherctlError] = {o.host: o.error for o in outcomes.values() if o.error is not None}
    if not values:
        raise next((e for e in errors.values() if isinstance(e, UsageError)), next(iter(errors.values())))
    return values, {host: str(error) for host, error in errors.items()}


def show(run: CommandRun, host_answers: HostAnswers, *, every: bool) -> None:
    """Print the result, then raise what it means.

    NotFoundError: the name does not exist. ConflictError: servers differ. UnreachableError: no server answered.
    PartialError: some hosts or servers did not answer.
    """
    found = compare(host_answers.answers)
    if every or found.differing or found.common is None or (host_answers.failures and found.common.rcode != "NOERROR"):
        run.show(answer_listing(host_answers.answers, found, host_answers.failures), fail=False)
    elif found.common.rcode == "NOERROR" or run.settings.output in ("json", "yaml"):
        run.show(
            answer_record(
                host_answers.name, host_answers.kind, found.common, len(host_answers.answers), host_answers.failures
            ),
            fail=False,
        )
    common = require_agreement(host_answers, found)
    _missing(host_answers, common)
    if not common.records:
        run.say(f"{host_answers.name} has no {host_answers.kind} records")


def require_agreement(host_answers: HostAnswers, found: Comparison) -> Answer:
    """The common answer. Raises what it means if there is none, servers differ, or hosts or servers are missing."""
    silent = _silent(host_answers, found)
    if found.common is None:
        raise UnreachableError(
            f"no server answered for {host_answers.name} {host_answers.kind}",
            why="; ".join(silent.values()),
            hint=STATUS,
        )
    differing = [f"{server} on {host}" for host, server in found.differing if (host, server) not in found.silent]
    if differing:
        raise ConflictError(
            f"{plural(len(differing), 'server')} {'differ' if len(differing) > 1 else 'differs'} "
            f"for {host_answers.name} {host_answers.kind}",
            why=", ".join(differing),
            hint="a change takes some milliseconds to reach all hosts; `rancherctl dns status` shows hosts that lag",
        )
    if silent or host_answers.failures:
        missing = {**silent, **host_answers.failures}
        raise PartialError(f"no answer from {', '.join(sorted(missing))}; all others agree", missing, hint=STATUS)
    return found.common


STATUS: Final = "rancherctl dns status, and rancherctl env status"


def _silent(host_answers: HostAnswers, found: Comparison) -> dict[str, str]:
    """Host → its servers that did not answer, with reasons."""
    out: dict[str, str] = {}
    for host, part in host_answers.answers.items():
        why = [f"{answer.server}: {answer.error}" for answer in part if (host, answer.server) in found.silent]
        if why:
            out[host] = ", ".join(why)
    return out


def _missing(host_answers: HostAnswers, common: Answer) -> None:
    label = host_answers.name.rstrip(".")
    hint = "rancherctl dns ls SERVICE shows the names of a service"
    if "." not in label:
        hint = f"the full name of a service is {label}.NAMESPACE.svc; rancherctl dns ls {label} shows its names"
    if common.rcode == "NXDOMAIN":
        raise NotFoundError(f"{host_answers.name} does not exist", hint=hint)
    if common.rcode != "NOERROR":
        raise RancherctlError(
            f"{host_answers.name} {host_answers.kind}: the servers answer {common.rcode}",
            hint=hint if "." not in label else STATUS,
        )

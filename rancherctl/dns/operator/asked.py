"""Who asks for a name, and the questions of the search list with the answers of all hosts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rancherctl.dns.lookup import Answer, Comparison, compare
from rancherctl.dns.operator.host_trace import HostTrace, Question, Step


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a pod (``namespace/name``, "" = any pod of the namespace) with what its spec says about DNS."""

    namespace: str
    pod: str = ""
    dns_policy: str = ""
    dns_config: Mapping[str, Any] = field(default_factory=dict)
    host_network: bool = False

    @property
    def policy(self) -> str:
        """What the pod's spec says about DNS, for people."""
        return f"dnsPolicy {self.dns_policy or 'ClusterFirst'}{', hostNetwork' if self.host_network else ''}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and the answers of all hosts."""

    question: Question
    answers: Mapping[str, tuple[Answer, ...]]
    steps: Mapping[str, Step]
    comparison: Comparison

    @property
    def has_records(self) -> bool:
        """Whether the common answer has records."""
        return self.comparison.common is not None and bool(self.comparison.common.records)


def all_asked(traces: Sequence[HostTrace]) -> list[Asked]:
    """Every question in the order in which the first host asked it."""
    found: dict[Question, dict[str, Step]] = {}
    for trace in traces:
        for step in trace.steps:
            found.setdefault((step.name, step.type), {})[trace.host] = step
    out = []
    for question, steps in found.items():
        answers = {host: step.answers for host, step in steps.items()}
        out.append(Asked(question, answers, steps, compare(answers)))
    return out

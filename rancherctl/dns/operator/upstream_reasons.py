"""Why a name outside the cluster has no answer, or another one than expected: what the upstreams say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rancherctl.dns.lookup import Answer
from rancherctl.dns.operator.host_trace import HostTrace, Step
from rancherctl.dns.operator.reasons import Reason
from rancherctl.text import and_more

_SET = "set spec.dns.upstreams in the environment file"
_MULTI_CLUSTER = ".svc.clusterset.local."
EXPECTED = frozenset({"NoSuchNameUpstream"})
"""Reasons that are normal for a name of the search list that an upstream is asked for last."""


def words_of(answer: Answer) -> str:
    """An answer in a few words: its data, ``does not exist``, ``no A records``, SERVFAIL, or why there is none."""
    if not answer.rcode:
        return answer.error
    if answer.rcode == "NXDOMAIN":
        return "does not exist"
    if answer.rcode != "NOERROR":
        return answer.rcode
    return and_more(answer.data()) or "no records"


def spelling(name: str, domain: str) -> list[Reason]:
    """Reasons that the name itself shows."""
    if name.endswith(_MULTI_CLUSTER):
        text = "names of multi-cluster Services (clusterset.local) are not served"
        return [Reason("MultiCluster", text, f"a Service of this environment is SERVICE.NAMESPACE.svc.{domain}")]
    if ".svc." in name or ".pod." in name:
        other = name.partition(".svc." if ".svc." in name else ".pod.")[2].rstrip(".")
        text = f"the cluster domain of this environment is {domain}, not {other}"
        return [Reason("OtherDomain", text, "spec.dns.domain of the environment file sets it")] if other else []
    return []


def upstream_reasons(name: str, traces: Sequence[HostTrace], *, resolved: bool) -> list[Reason]:
    """What is remarkable about the upstreams' answers for a name outside the zones, each with the hosts it is true for.

    For a name that was ``resolved``: only upstreams that differ, and answers of the cache that are out of date.
    """
    found: dict[Reason, list[str]] = {}
    for trace in traces:
        for step in trace.steps:
            if step.name == name or any(r[3].lower() == name for a in step.answers for r in a.records):
                for reason in _of_step(name, step, trace, resolved):
                    found.setdefault(reason, []).append(trace.host)
    every = len(traces)
    return [
        reason if len(set(hosts)) == every else Reason(reason.code, f"on {and_more(hosts)}: {reason.text}", reason.hint)
        for reason, hosts in ((r, list(dict.fromkeys(h))) for r, h in found.items())
    ]


def _of_step(name: str, step: Step, trace: HostTrace, resolved: bool) -> Iterable[Reason]:
    direct = trace.direct.get((name, step.type), ())
    label = f"{name} {step.type}"
    if not direct:
        if not resolved and not trace.asks_elsewhere:
            yield Reason("NoUpstream", "no upstream resolver is known: only names of the cluster resolve", _SET)
        return
    answered = [answer for answer in direct if answer.rcode]
    if not answered:
        if not resolved:
            listed = and_more([f"{a.server} ({a.error})" for a in direct])
            yield Reason("UpstreamsSilent", f"no upstream resolver answers: {listed}", "rancherctl dns status")
        return
    first = answered[0]
    if len({(a.rcode, a.data()) for a in answered}) > 1 and _matters(answered, resolved):
        listed = "; ".join(f"{a.server}: {words_of(a)}" for a in answered)
        hint = "the first one that answers is used, in the order of spec.dns.upstreams"
        yield Reason("UpstreamsDiffer", f"the upstream resolvers differ for {label}: {listed}", hint)
    elif not resolved and first.rcode == "NXDOMAIN":
        where = f"stub domain {step.stub}, " if step.stub else ""
        text = f"{name} does not exist ({where}{and_more([a.server for a in answered])} says so)"
        yield Reason("NoSuchNameUpstream", text)
    elif not resolved and first.rcode != "NOERROR":
        text = f"upstream {first.server} answers {first.rcode} for {name}"
        yield Reason("UpstreamFails", text, "rancherctl dns status")
    given = next((a for a in step.answers if a.rcode), None)
    if given is not None and step.name == name:
        yield from _of_cache(label, given, first, step)


def _matters(answered: Sequence[Answer], resolved: bool) -> bool:
    """For a name that resolves, other addresses of the same kind are usual (large sites); "does not exist" is not."""
    return not resolved or len({(a.rcode, bool(a.records)) for a in answered}) > 1


def _of_cache(label: str, given: Answer, first: Answer, step: Step) -> Iterable[Reason]:
    if given.stale:
        text = f"the answer for {label} has expired, and no upstream has renewed it"
        yield Reason("Stale", text, "rancherctl dns status")
    elif step.cached and (given.rcode, bool(given.records)) != (first.rcode, bool(first.records)):
        left = min((record[1] for record in (*given.records, *given.authority)), default=0)
        text = (
            f"the cache has {words_of(given)!r} for {label} (for {left} s); {first.server} says {words_of(first)!r} now"
        )
        yield Reason("Cached", text, f"wait {left} s")

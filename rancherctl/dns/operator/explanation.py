"""Explain a name from what the hosts answered and what the API has: a plain value for every output format. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rancherctl.dns import names
from rancherctl.dns.lookup import Answer
from rancherctl.dns.operator.api_objects import ApiObjects
from rancherctl.dns.operator.asked import Asked, Asker, all_asked
from rancherctl.dns.operator.host_trace import HostTrace, Step
from rancherctl.dns.operator.notes import notes_of
from rancherctl.dns.operator.provenance import RecordSource
from rancherctl.dns.operator.reasons import Diagnosis, Rank, Reason, diagnose
from rancherctl.dns.operator.upstream_reasons import EXPECTED, spelling, upstream_reasons
from rancherctl.dns.records import Shape
from rancherctl.text import and_more

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    """``decisive`` are the answers that decide the exit code; ``resolved``: a name of the search list has records."""

    item: Item
    decisive: Asked
    resolved: bool
    reasons: tuple[Reason, ...]


def explain(name: str, asker: Asker, traces: Sequence[HostTrace], api: ApiObjects, shape: Shape) -> Explanation:
    """Explain what ``traces`` (at least one) answered for ``name``, in lower case as typed."""
    asked = all_asked(traces)
    kinds = tuple(dict.fromkeys(one.question[1] for one in asked))
    final = next((one.question[0] for one in asked if one.has_records), "")
    every = list(dict.fromkeys(one.question[0] for one in asked))
    diagnoses = {} if api.problem else {one: diagnose(one, kinds, api, shape) for one in every}
    best = min(diagnoses, key=lambda one: diagnoses[one].rank, default="")
    broken = _broken_alias(asked, final)
    reasons: list[Reason] = []
    if not final or broken:
        chosen = final or best
        reasons = _reasons(name, asker, traces, diagnoses.get(chosen, Diagnosis(Rank.NOTHING)), every, broken, shape)
        if api.problem:
            reasons.append(Reason("ApiUnknown", "the objects behind the name are not known", api.problem))
    explained = final or (best if diagnoses and diagnoses[best].rank <= Rank.NAMESPACE_EXISTS else every[-1])
    ours = {name for name in every if not names.zone_of(name, shape.zones) and _by_policy(name, asked, api, shape)}
    item = {
        "name": name,
        "namespace": asker.namespace,
        "pod": _pod(asker),
        "resolver": traces[0].resolver.as_json(),
        "resolved": bool(final) and not broken,
        "result": _result(asked, final),
        "asked": _rows(asked, traces, ours),
        "records": _records(explained, asked, traces, api, shape),
        "upstreams": _upstreams(traces),
        "direct": _direct(traces),
        "reasons": [asdict(reason) for reason in reasons],
        "notes": notes_of(name, asker, traces, asked, final, api, shape),
    }
    decisive = _decisive(asked, explained)
    return Explanation(item, decisive, bool(final) and not broken, tuple(reasons))


def _broken_alias(asked: Iterable[Asked], final: str) -> str:
    """The alias target that has no address, if the answer consists of aliases alone; "" otherwise."""
    common = [one.comparison.common for one in asked if one.question[0] == final and one.question[1] != "CNAME"]
    records = [record for answer in common if answer is not None for record in answer.records]
    if not records or any(record[2] != "CNAME" for record in records):
        return ""
    return records[-1][3].lower()


def _reasons(
    name: str,
    asker: Asker,
    traces: Sequence[HostTrace],
    diagnosis: Diagnosis,
    every: Sequence[str],
    broken: str,
    shape: Shape,
) -> list[Reason]:
    elsewhere = sorted({server for trace in traces for server in trace.asks_elsewhere})
    found: list[Reason] = []
    if elsewhere:
        text = f"pod {asker.pod} asks {and_more(elsewhere)}, not the DNS server of its host ({asker.policy})"
        found.append(Reason("OtherNameServers", text, _policy_hint(asker)))
    last = broken or every[-1]
    outside = not names.zone_of(last, shape.zones)
    if name.endswith(".") and not broken and outside:
        text = "the final dot switches the search list off: the name is asked for as it is"
        found.append(Reason("FinalDot", text, f"rancherctl dns explain {name.rstrip('.')}"))
    likely = diagnosis.rank <= Rank.NAMESPACE_EXISTS
    if likely:
        found += diagnosis.reasons
    if outside:
        found += spelling(last, shape.domain)
    if outside and not elsewhere:
        upstream = upstream_reasons(last, traces, resolved=False)
        found += [reason for reason in upstream if broken or not (likely and reason.code in EXPECTED)]
    if not found:
        found += diagnosis.reasons
    return found


def _policy_hint(asker: Asker) -> str:
    policy = "ClusterFirstWithHostNet" if asker.host_network else "ClusterFirst"
    return f"dnsPolicy: {policy} makes the pod ask the cluster's DNS server"


def _pod(asker: Asker) -> Item | None:
    if not asker.pod:
        return None
    return {"name": asker.pod, "dnsPolicy": asker.dns_policy, "dnsConfig": dict(asker.dns_config)}


def _result(asked: Iterable[Asked], final: str) -> Item | None:
    if not final:
        return None
    records = [
        record
        for one in asked
        if one.question[0] == final and one.comparison.common is not None
        for record in one.comparison.common.records
    ]
    unique = dict.fromkeys((r[0].lower(), r[2], r[3]) for r in records)
    return {
        "name": final,
        "data": list(dict.fromkeys(r[3] for r in records if r[2] != "CNAME")),
        "records": [dict(zip(("name", "type", "data"), r, strict=True)) for r in unique],
        "ttl": min(r[1] for r in records),
    }


def _by_policy(name: str, asked: Iterable[Asked], api: ApiObjects, shape: Shape) -> bool:
    """Whether the server itself answers a reverse name outside its zones, for an endpoint (names.REVERSE_POLICY)."""
    made = {s.data for s in api.sources_of(name, shape, ()) if s.type == "PTR" and s.published}
    common = [one.comparison.common for one in asked if one.question == (name, "PTR")]
    return any(answer is not None and made & set(answer.data()) for answer in common)


def _rows(asked: Iterable[Asked], traces: Sequence[HostTrace], ours: Collection[str]) -> list[Item]:
    """``ours`` are the reverse names outside the zones that the server answers itself."""
    number: dict[str, int] = {}
    rows = []
    for one in asked:
        name, kind = one.question
        common = one.comparison.common
        number.setdefault(name, len(number) + 1)
        differing = {host for host, _ in one.comparison.differing}
        rows.append(
            {
                "number": number[name],
                "name": name,
                "type": kind,
                "rcode": common.rcode if common else "",
                "error": "" if common else next((a.error for part in one.answers.values() for a in part), ""),
                "data": list(common.data()) if common else [],
                "ttl": min((r[1] for r in (*common.records, *common.authority)), default=None) if common else None,
                "stale": bool(common and common.stale),
                "from": "endpoints outside the pod network" if name in ours else _origin(one, traces),
                "hosts": len(one.answers),
                "agreeing": len(one.answers) - len(differing),
                "differing": [
                    {"host": host, "server": answer.server, **_short(answer)}
                    for host, part in one.answers.items()
                    for answer in part
                    if (host, answer.server) in one.comparison.differing
                ],
            }
        )
    return rows


def _short(answer: Answer) -> Item:
    return {"rcode": answer.rcode, "data": list(answer.data()), "error": answer.error}


def _origin(one: Asked, traces: Sequence[HostTrace]) -> str:
    """Where the answers come from: a zone, the cache or upstreams; all of them if hosts differ."""
    by_host = {trace.host: trace for trace in traces}
    return " or ".join(dict.fromkeys(_origin_of(step, by_host[host]) for host, step in one.steps.items()))


def _origin_of(step: Step, trace: HostTrace) -> str:
    if step.zone:
        return f"zone {step.zone.removesuffix('.')}"
    if trace.asks_elsewhere:
        return f"name server {trace.resolver.nameservers[0]}"
    if step.cached:
        return "cache"
    servers = [up.server for up in trace.upstreams if up.domain == step.stub and up.used]
    if step.stub:
        return f"stub domain {step.stub}" + (f", {and_more(servers)}" if servers else "")
    return f"upstream {' or '.join(servers)}" if servers else "no upstream answers"


def _records(
    name: str, asked: Sequence[Asked], traces: Sequence[HostTrace], api: ApiObjects, shape: Shape
) -> list[Item]:
    """What made the records of the explained name, and of those that its aliases lead to."""
    common = [one.comparison.common for one in asked if one.question[0] == name]
    answered = {(r[0].lower(), r[2], r[3].lower()) for answer in common if answer for r in answer.records}
    chain = dict.fromkeys((name, *(r[0] for r in sorted(answered) if r[1] in ("A", "AAAA", "CNAME"))))
    kinds = {one.question[1] for one in asked} | {"CNAME"}
    addresses = traces[0].servers
    found: list[RecordSource] = []
    for part in () if api.problem else chain:
        found += api.sources_of(part, shape, addresses)
    return [
        source.as_json() | {"answered": (source.name, source.type, source.data.lower()) in answered}
        for source in found
        if source.type in kinds
    ]


def _upstreams(traces: Iterable[HostTrace]) -> list[Item]:
    return [{"host": trace.host, **asdict(up)} for trace in traces for up in trace.upstreams]


def _direct(traces: Iterable[HostTrace]) -> list[Item]:
    """The answer of each upstream, with what the host's agent knows about it."""
    out = []
    for trace in traces:
        stubs = {step.name: step.stub for step in trace.steps}
        for (name, kind), part in trace.direct.items():
            for answer in part:
                use = trace.use_of(answer.server, stubs.get(name, ""))
                known = {"order": use.order, "used": use.used, "why": use.why} if use else {}
                row = {"host": trace.host, "name": name, "type": kind, "server": answer.server}
                out.append({**row, "order": None, "used": None, "why": "", **known, **_short(answer)})
    return out


def _decisive(asked: Sequence[Asked], explained: str) -> Asked:
    """A question that servers answer differently, else one of the explained name, with records if it has any."""
    differing = [one for one in asked if set(one.comparison.differing) - set(one.comparison.silent)]
    own = [one for one in asked if one.question[0] == explained] or list(asked)
    return next(iter(differing), None) or next((one for one in own if one.has_records), own[0])

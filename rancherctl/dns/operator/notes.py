"""What is remarkable about a name that resolves. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.dns import names, search
from rancherctl.dns.operator.api_objects import ApiObjects, parts_of
from rancherctl.dns.operator.asked import Asked, Asker
from rancherctl.dns.operator.host_trace import HostTrace
from rancherctl.dns.operator.reasons import Diagnosis, Rank, diagnose
from rancherctl.dns.operator.upstream_reasons import upstream_reasons
from rancherctl.dns.records import Shape


def notes_of(
    name: str,
    asker: Asker,
    traces: Sequence[HostTrace],
    asked: Sequence[Asked],
    final: str,
    api: ApiObjects,
    shape: Shape,
) -> list[str]:
    """What is remarkable though the name resolves, and where resolvers of other kinds behave differently."""
    notes = []
    if len({(trace.resolver.search, trace.resolver.ndots) for trace in traces}) > 1:
        notes.append("the hosts have different search domains of their own")
    if not final:
        return notes
    if api.problem:
        notes.append(f"the objects behind the name are not known: {api.problem}")
    if asker.pod and any(trace.asks_elsewhere for trace in traces):
        notes.append(f"pod {asker.pod} does not ask the DNS server of its host ({asker.policy})")
    notes += _unready(final, api, shape)
    if not names.zone_of(final, shape.zones):
        notes += [reason.text for reason in upstream_reasons(final, traces, resolved=True)]
        notes += _meant(name, asked, traces[0], api, shape)
    return notes + _other_resolvers(asked, final)


def _unready(final: str, api: ApiObjects, shape: Shape) -> list[str]:
    """A cluster address resolves even if nothing answers there."""
    parts = parts_of(final, shape.domain)
    service = api.services.get(parts.service_key) if parts and parts.kind == "service" else None
    ends = [e for part in api.slices.get(parts.service_key, ()) for e in part.endpoints] if parts else []
    if service is None or not service.cluster_ips or any(e.ready for e in ends):
        return []
    return [f"Service {service.meta.key} has no ready endpoint: connections to its address fail"]


def _meant(name: str, asked: Sequence[Asked], trace: HostTrace, api: ApiObjects, shape: Shape) -> list[str]:
    """An upstream answered for a name that probably means something in the cluster."""
    tried = {one.question[0] for one in asked}
    for candidate in search.candidates(name, trace.resolver):
        parts = parts_of(candidate, shape.domain)
        if parts and parts.service_key in api.services and candidate not in tried:
            ndots = trace.resolver.ndots
            return [f"it also means Service {parts.service_key}, but is asked outside first (ndots {ndots})"]
    kinds = tuple(dict.fromkeys(one.question[1] for one in asked))
    found = [] if api.problem else [diagnose(one, kinds, api, shape) for one in sorted(tried)]
    best = min(found, key=lambda one: one.rank, default=Diagnosis(Rank.NOTHING))
    if best.rank > Rank.SIMILAR_NAMESPACE:
        return []
    return [f"an upstream answers; in the cluster: {r.text}{f' ({r.hint})' if r.hint else ''}" for r in best.reasons]


def _other_resolvers(asked: Sequence[Asked], final: str) -> list[str]:
    """musl's resolver stops at the first name that exists or fails; glibc's goes on."""
    for one in asked:
        common = one.comparison.common
        if one.question[0] == final or common is None:
            break
        if common.rcode not in ("NXDOMAIN", "") and not common.records:
            what = "exists without such records" if common.rcode == "NOERROR" else f"fails with {common.rcode}"
            return [f"in images with musl (Alpine) the search stops at {one.question[0]}, which {what}"]
    return []

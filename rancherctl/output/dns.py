"""DNS answers, server states and records as results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from rancherctl.output.results import Column, Failure, Listing, Record

if TYPE_CHECKING:
    from rancherctl.dns.lookup import Answer, Comparison


def _lag(row: Mapping[str, Any]) -> str:
    lag = row.get("lag") or {}
    return f"{lag['p50']:.3g}/{lag['p99']:.3g}ms" if lag.get("last") else ""


def _upstreams(row: Mapping[str, Any]) -> str:
    listed = row["upstreams"].get("servers")
    if listed is None:  # an agent of release 0.1
        used, dead = (row["upstreams"].get(part) or () for part in ("used", "dead"))
        return f"{len(used) - len(dead)}/{len(used)}" if used else ""
    return f"{sum(bool(one['alive']) for one in listed)}/{len(listed)}" if listed else ""


def _latency(row: Mapping[str, Any]) -> str:
    return "" if row["latency_ms"] is None else f"{row['latency_ms']:.3g}ms"


def _age(row: Mapping[str, Any]) -> str:
    return f"{row['age']:.0f}s" if row.get("age") is not None else ""


STATUS_COLUMNS: Final = (
    Column("HOST", "host"),
    Column("LOADED", "loaded"),
    Column("SYNCED", "synced"),
    Column("RECORDS", "records"),
    Column("SYNC-AGE", _age),
    Column("QUERIES", "queries"),
    Column("LAG", _lag),
    Column("UPSTREAMS", _upstreams),
    Column("PROBLEMS", "problems"),
    Column("SERIAL", "serial", wide=True),
    Column("HITS", "hits", wide=True),
    Column("ENGINE", "engine", wide=True),
    Column("FORWARDS-TO", "upstreams.used", wide=True),
    Column("DEAD", "upstreams.dead", wide=True),
    Column("HASH", "hash", wide=True),
)
UPSTREAM_COLUMNS: Final = (
    Column("HOST", "host"),
    Column("DOMAIN", lambda row: row["domain"] or "*"),
    Column("ORDER", "order"),
    Column("UPSTREAM", "server"),
    Column("ALIVE", lambda row: "unknown" if row["alive"] is None else row["alive"]),
    Column("USED", "in_use"),
    Column("LATENCY", _latency),
    Column("QUERIES", lambda row: "" if row["queries"] is None else str(row["queries"])),
    Column("REASON", lambda row: row["why"] or row["note"]),
    Column("SINCE", lambda row: "" if row["since"] is None else f"{row['since']:.0f}s", wide=True),
)
ANSWER_COLUMNS: Final = (
    Column("HOST", "host"),
    Column("SERVER", "server"),
    Column("RESULT", lambda row: row["rcode"] or row["error"]),
    Column("ANSWER", lambda row: [r["data"] for r in row["records"]]),
    Column("TIME", lambda row: f"{row['ms']}ms"),
    Column("AGREES", "agrees"),
)
RECORD_COLUMNS: Final = (Column("NAME", "name"), Column("TTL", "ttl"), Column("TYPE", "type"), Column("DATA", "data"))


def status_listing(rows: Sequence[Mapping[str, Any]], failures: Mapping[str, str]) -> Listing:
    """List the server of each host."""
    return Listing(
        "DnsServer",
        rows,
        STATUS_COLUMNS,
        name="host",
        failures=_failures(failures),
        empty="no hosts",
        hint="rancherctl env status",
    )


def upstream_listing(rows: Sequence[Mapping[str, Any]], failures: Mapping[str, str]) -> Listing:
    """List the upstreams of each host."""
    return Listing(
        "DnsUpstream",
        rows,
        UPSTREAM_COLUMNS,
        name=lambda row: f"{row['host']}/{row['domain'] or '*'}/{row['server']}",
        failures=_failures(failures),
        empty="no upstreams",
        hint="rancherctl env status",
    )


def record_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """List record sets."""
    return Listing(
        "DnsRecordSet", rows, RECORD_COLUMNS, name=lambda row: f"{row['name']}/{row['type']}", empty="no records"
    )


def answer_listing(
    answers: Mapping[str, Sequence[Answer]], comparison: Comparison, failures: Mapping[str, str]
) -> Listing:
    """List the answer of each server of each host."""
    rows = [
        {"host": host, **answer.as_json(), "agrees": (host, answer.server) not in comparison.differing}
        for host, part in answers.items()
        for answer in part
    ]
    return Listing(
        "DnsAnswer",
        rows,
        ANSWER_COLUMNS,
        name=lambda row: f"{row['host']}/{row['server']}",
        failures=_failures(failures),
    )


def answer_record(name: str, kind: str, common: Answer, hosts: int, failures: Mapping[str, str]) -> Record:
    """The common answer of all servers; the text form has one line of data per record, like ``dig +short``."""
    item = {"name": name, "type": kind, "hosts": hosts, **common.as_json()}
    return Record(
        "DnsLookup",
        item,
        text="".join(f"{r[3]}\n" for r in common.records),
        name=f"{name}/{kind}",
        failures=_failures(failures),
    )


def _failures(failures: Mapping[str, str]) -> tuple[Failure, ...]:
    return tuple(Failure(host, why) for host, why in sorted(failures.items()))

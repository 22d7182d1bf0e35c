"""The explanation of a DNS name for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rancherctl.output.results import Column, Failure, Record
from rancherctl.output.tables import table

Item = Mapping[str, Any]


def explanation_record(item: Item, failures: Mapping[str, str]) -> Record:
    """The result of ``dns explain``."""
    failed = tuple(Failure(host, why) for host, why in sorted(failures.items()))
    return Record("DnsExplanation", item, text=text(item), name=item["name"], failures=failed)


def text(item: Item) -> str:
    """All of it: the result, who asks, each name asked, what made the records, what the upstreams say, and why."""
    parts = [
        _head(item),
        _table(ASKED, _together(item["asked"])),
        _table(RECORDS, item["records"]),
        _table(DIRECT, _together(_by_host(item["direct"]))),
        _remarks(item),
    ]
    return "\n".join(part for part in parts if part)


def _head(item: Item) -> str:
    result, resolver, pod = item["result"], item["resolver"], item["pod"]
    found = ", ".join(result["data"]) if item["resolved"] else "does not resolve"
    asker = f"any pod of namespace {item['namespace']}"
    if pod:
        config = ", dnsConfig" if pod["dnsConfig"] else ""
        asker = f"pod {pod['name']} (dnsPolicy {pod['dnsPolicy'] or 'ClusterFirst'}{config})"
    lines = [
        f"{item['name']}: {found}",
        f"asked by: {asker}",
        f"name servers: {' '.join(resolver['nameservers']) or 'none'}",
        f"search list: {' '.join(resolver['search']) or 'none'} (ndots {resolver['ndots']})",
    ]
    return "".join(f"{line}\n" for line in lines)


def _together(rows: Iterable[Item]) -> Sequence[Item]:
    """Types of a name that were answered alike are one line."""
    out: list[dict[str, Any]] = []
    for row in rows:
        if out and {**out[-1], "type": "", "ttl": 0} == {**row, "type": "", "ttl": 0}:
            out[-1]["type"] += f",{row['type']}"
        else:
            out.append(dict(row))
    return out


def _by_host(rows: Iterable[Item]) -> Iterable[Item]:
    """Hosts to which an upstream gave the same answer are one line."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        rest = {key: value for key, value in row.items() if key != "host"}
        found.setdefault(str(rest), {**rest, "hosts": []})["hosts"].append(row["host"])
    return sorted(found.values(), key=lambda row: (row["name"], row["order"] or 0, row["server"]))


def _table(columns: Sequence[Column], rows: Sequence[Item]) -> str:
    return table([c.title for c in columns], [[c.cell(row) for c in columns] for row in rows])


def _answer(row: Item) -> str:
    if row["data"]:
        return ", ".join(row["data"])
    if row["rcode"] == "NOERROR":
        return "no records"
    return str(row["rcode"] or row["error"])


def _answer_of_all(row: Item) -> str:
    return _answer(row) + (" (expired)" if row["stale"] else "")


def _hosts(row: Item) -> str:
    share = f"{row['agreeing']}/{row['hosts']}"
    others = dict.fromkeys(f"{d['host']}: {_answer(d)}" for d in row["differing"])
    return "; ".join((share, *others))


def _maker(row: Item) -> str:
    if not row["slice"]:
        return str(row["object"])
    pod = f" (pod {row['pod']})" if row["pod"] else ""
    return f"{row['object']}, EndpointSlice {row['slice'].partition('/')[2]}, endpoint {row['address']}{pod}"


def _published(row: Item) -> str:
    if not row["published"]:
        return "no, not ready"
    return "yes" if row["answered"] else "no"


def _used(row: Item) -> str:
    state = "" if row["used"] is None else "yes" if row["used"] else "no"
    return f"{state}: {row['why']}" if row["why"] else state


ASKED: Final = (
    Column("#", "number"),
    Column("ASKED", "name"),
    Column("TYPE", "type"),
    Column("ANSWER", _answer_of_all),
    Column("TTL", lambda row: "" if row["ttl"] is None else f"{row['ttl']}s"),
    Column("FROM", "from"),
    Column("HOSTS", _hosts),
)
RECORDS: Final = (
    Column("RECORD", "name"),
    Column("TYPE", "type"),
    Column("DATA", "data"),
    Column("MADE-BY", _maker),
    Column("ANSWERED", _published),
)
DIRECT: Final = (
    Column("UPSTREAM", "server"),
    Column("ORDER", "order"),
    Column("USED", _used),
    Column("HOSTS", "hosts"),
    Column("ASKED", "name"),
    Column("TYPE", "type"),
    Column("ANSWER", _answer),
)


def _remarks(item: Item) -> str:
    return "".join(_lines(item))


def _lines(item: Item) -> Iterable[str]:
    for reason in item["reasons"]:
        yield f"reason: {reason['text']}\n"
        if reason["hint"]:
            yield f"        {reason['hint']}\n"
    for note in item["notes"]:
        yield f"note:   {note}\n"

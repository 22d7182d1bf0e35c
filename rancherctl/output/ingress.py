"""Ingresses, their placement and HTTP checks as results. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rancherctl.contract import ACCESS_LOG, TLS_PURPOSE
from rancherctl.output.results import Column, Failure, Listing, Record
from rancherctl.text import and_more


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['namespace']}/{row['name']}"


def _issuer(row: Mapping[str, Any]) -> str:
    return "self-signed" if row["self_signed"] else str(row["issuer"] or "")


def _expires(row: Mapping[str, Any]) -> str:
    return str(row["not_after"] or "").partition("T")[0]


def _problem_reasons(row: Mapping[str, Any]) -> list[str]:
    return [problem["reason"].removeprefix("Certificate") for problem in row["problems"]]


COLUMNS: Final = (
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("HOSTS", "hosts"),
    Column("ADDRESSES", "addresses"),
    Column("READY", lambda row: f"{row['published']}/{row['wanted']}"),
    Column("REASON", "reason"),
    Column("PLACED", "placed", wide=True),
    Column("MESSAGE", "message", wide=True),
)
PLAN_COLUMNS: Final = (
    Column("RANK", "rank"),
    Column("HOST", "host"),
    Column("ADDRESS", "address"),
    Column("CHOSEN", "chosen"),
    Column("CHANGE", "change"),
    Column("REASON", "why"),
)
RELOCATION_COLUMNS: Final = (
    Column("INGRESS", _name),
    Column("CHANGE", "change"),
    Column("FROM", "loses"),
    Column("TO", "gains"),
    Column("LEAVES", "leaving"),
    Column("JOINS", "joining"),
    Column("READY", lambda row: f"{len(row['after'])}/{row['wanted']}"),
    Column("WHY", "message"),
)
CERTIFICATE_COLUMNS: Final = (
    Column("SECRET", lambda row: row["secret"] + ("" if row["purpose"] == TLS_PURPOSE else f" ({row['purpose']})")),
    Column("INGRESS", lambda row: and_more(row["ingresses"], shown=2)),
    Column("NAMES", lambda row: and_more(row["names"], shown=2)),
    Column("KEY", "key", wide=True),
    Column("ISSUER", _issuer),
    Column("EXPIRES", _expires, wide=True),
    Column("DAYS", "days_left"),
    Column("SERIAL", "serial", wide=True),
    Column("HOSTS", lambda row: [host["host"] for host in row["hosts"]]),
    Column("PROBLEMS", _problem_reasons),
)
CERTIFICATE_FILE_COLUMNS: Final = (
    Column("FILE", "file"),
    Column("SECRETS", lambda row: and_more(row["secrets"], shown=2)),
    Column("INGRESSES", lambda row: and_more(row["ingresses"], shown=2), wide=True),
    Column("NAMES", lambda row: and_more(row["certificate_names"], shown=2)),
    Column("KEY", "key", wide=True),
    Column("ISSUER", _issuer, wide=True),
    Column("EXPIRES", _expires, wide=True),
    Column("DAYS", "days_left"),
    Column("SERIAL", "serial", wide=True),
    Column("MODE", "mode", wide=True),
    Column("OWNER", "owner", wide=True),
    Column("PROBLEMS", _problem_reasons),
)
CHECK_COLUMNS: Final = (
    Column("INGRESS", "ingress"),
    Column("ADDRESS", "address"),
    Column("HOST", "host"),
    Column("PATH", "path"),
    Column("OK", lambda row: {True: "yes", False: "no"}.get(row["ok"], "unknown")),
    Column("RESULT", "result"),
)


def ingress_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per Ingress."""
    return Listing("Ingress", rows, COLUMNS, name=_name, empty="no rancherctl ingresses found")


def ingress_record(item: Mapping[str, Any], text: str) -> Record:
    """One Ingress in full."""
    return Record("Ingress", item, text=text, name=_name(item))


def request_record(item: Mapping[str, Any], text: str) -> Record:
    """What happens to one request, on the hosts that serve an Ingress."""
    return Record("IngressRequest", item, text=text, name=_name(item))


def plan_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per host, in the order in which an Ingress takes them."""
    return Listing("IngressCandidate", rows, PLAN_COLUMNS, name="host", empty="no load-balancer hosts in the roster")


def relocation_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per Ingress whose placement would change."""
    return Listing("IngressRelocation", rows, RELOCATION_COLUMNS, name=_name, empty="no ingress would change")


def certificate_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per certificate; each with a problem is a failure."""
    failures = _problems(rows, lambda row: row["secret"] or and_more(row["ingresses"]))
    return Listing(
        "IngressCertificate",
        rows,
        CERTIFICATE_COLUMNS,
        name="secret",
        failures=failures,
        empty="no ingress has tls",
        trouble="has a problem" if len(failures) == 1 else "have problems",
    )


def certificate_file_listing(host: str, rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per file on a host's disk; each with a problem is a failure."""
    failures = _problems(rows, lambda row: f"{host} {and_more(row['secrets'], shown=2) or row['file']}")
    return Listing(
        "IngressCertificateFile",
        rows,
        CERTIFICATE_FILE_COLUMNS,
        name="file",
        failures=failures,
        empty=f"{host} has no certificates of ingresses on its disk",
        trouble="has a problem" if len(failures) == 1 else "have problems",
    )


def _problems(rows: Sequence[Mapping[str, Any]], where: Callable[[Mapping[str, Any]], str]) -> tuple[Failure, ...]:
    return tuple(
        Failure(where(row), "; ".join(f"{p['message']} ({p['remedy']})" for p in problems))
        for row in rows
        if (problems := row["problems"])
    )


def check_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per request, and per Ingress without all its addresses; a failed one makes the result partial."""
    failures = tuple(_failure(row) for row in rows if row["ok"] is False)
    return Listing(
        "IngressProbe",
        rows,
        CHECK_COLUMNS,
        name="address",
        failures=failures,
        empty="no published addresses to check",
        trouble="failed the check",
        hint=f"requests that failed are logged in {ACCESS_LOG} on each load-balancer host",
    )


def _failure(row: Mapping[str, Any]) -> Failure:
    if not row["address"]:
        return Failure(row["ingress"], row["result"])
    return Failure(f"{row['ingress']} at {row['address']}", f"{row['host']}{row['path']}: {row['result']}")

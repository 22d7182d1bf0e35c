"""Ingresses, their placement and HTTP checks as results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rancherctl.output.results import Column, Failure, Listing, Record

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
    )


def _failure(row: Mapping[str, Any]) -> Failure:
    if not row["address"]:
        return Failure(row["ingress"], row["result"])
    return Failure(f"{row['ingress']} at {row['address']}", f"{row['host']}{row['path']}: {row['result']}")


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['namespace']}/{row['name']}"

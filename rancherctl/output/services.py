"""Services of type LoadBalancer, their placement and checks as results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rancherctl.output.ingress import PLAN_COLUMNS
from rancherctl.output.results import Column, Failure, Listing, Record


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['namespace']}/{row['name']}"


def _reason(row: Mapping[str, Any]) -> str:
    if not row["managed"]:
        return "NotManaged"
    return str(row["reason"] or ("" if row["addresses"] else "Pending"))


def _ready(row: Mapping[str, Any]) -> str:
    return f"{row['published']}/{row['wanted']}" if row["managed"] else ""


def _where(namespace: str) -> str:
    return f" in the namespace {namespace}" if namespace else ""


COLUMNS: Final = (
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("PORTS", "ports"),
    Column("ADDRESSES", "addresses"),
    Column("READY", _ready),
    Column("REASON", _reason),
    Column("CLASS", "class", wide=True),
    Column("POLICY", "policy", wide=True),
    Column("MESSAGE", "message", wide=True),
)
CHECK_COLUMNS: Final = (
    Column("SERVICE", "service"),
    Column("ADDRESS", "address"),
    Column("PORT", "port"),
    Column("OK", lambda row: {True: "yes", False: "no"}.get(row["ok"], "unknown")),
    Column("RESULT", "result"),
)


def service_listing(rows: Sequence[Mapping[str, Any]], namespace: str = "") -> Listing:
    """One row per Service, of one ``namespace`` or all."""
    empty = f"no Services of type LoadBalancer found{_where(namespace)}"
    return Listing("Service", rows, COLUMNS, name=_name, empty=empty)


def scale_record(item: Mapping[str, Any]) -> Record:
    """A scale that was set; for people, the command says it."""
    return Record("ServiceScale", item, text="", name=_name(item))


def service_record(item: Mapping[str, Any], text: str) -> Record:
    """One Service in full."""
    return Record("Service", item, text=text, name=_name(item))


def plan_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per host, in the order in which a Service takes them."""
    return Listing("ServiceCandidate", rows, PLAN_COLUMNS, name="host", empty="no load-balancer hosts in the roster")


def check_listing(rows: Sequence[Mapping[str, Any]], namespace: str = "") -> Listing:
    """One row per check of Services in one ``namespace`` or all; those that fail are failures."""
    failures = tuple(Failure(row["service"], row["result"]) for row in rows if row["ok"] is False)
    return Listing(
        "ServiceCheck",
        rows,
        CHECK_COLUMNS,
        name="service",
        failures=failures,
        empty=f"no Services with addresses of hosts found{_where(namespace)}",
        trouble="failed",
        hint="rancherctl service show SERVICE explains the placement",
    )

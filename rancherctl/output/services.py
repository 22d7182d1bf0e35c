"""Services of type LoadBalancer, their placement and checks as results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rancherctl.output.ingress import PLAN_COLUMNS
from rancherctl.output.results import Column, Failure, Listing, Record


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['namespace']}/{row['name']}"


def _ready(row: Mapping[str, Any]) -> str:
    return f"{row['published']}/{row['wanted']}" if row["managed"] else ""


COLUMNS: Final = (
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("PORTS", "ports"),
    Column("ADDRESSES", "addresses"),
    Column("READY", _ready),
    Column("REASON", lambda row: row["reason"] if row["managed"] else "NotManaged"),
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


def service_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per Service."""
    return Listing("Service", rows, COLUMNS, name=_name, empty="no Services of type LoadBalancer found")


def service_record(item: Mapping[str, Any], text: str) -> Record:
    """One Service in full."""
    return Record("Service", item, text=text, name=_name(item))


def plan_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per host, in the order in which a Service takes them."""
    return Listing("ServiceCandidate", rows, PLAN_COLUMNS, name="host", empty="no load-balancer hosts in the roster")


def check_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row per check; those that fail are failures."""
    failures = tuple(Failure(row["service"], row["result"]) for row in rows if row["ok"] is False)
    return Listing(
        "ServiceCheck",
        rows,
        CHECK_COLUMNS,
        name="service",
        failures=failures,
        empty="no Services of rancherctl found",
        trouble="failed",
        hint="rancherctl service show SERVICE explains the placement",
    )

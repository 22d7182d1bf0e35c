"""Members of a federation and federated Services as results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rancherctl.output.results import Column, Failure, Listing, Record


def _word(key: str) -> Any:
    return lambda row: {True: "yes", False: "no"}.get(row[key], "unknown")


MEMBER_COLUMNS: Final = (
    Column("NAME", "name"),
    Column("READY", _word("ready")),
    Column("SERVING", lambda row: "drained" if row["suspended"] else _word("serving")(row)),
    Column("REGION", "region"),
    Column("ZONES", "zones"),
    Column("COPIES", "copies"),
    Column("VERSION", "version"),
    Column("SERVERS", "servers", wide=True),
    Column("ADDRESSES", "addresses", wide=True),
    Column("LABELS", "labels", wide=True),
    Column("PROBLEM", lambda row: "leaving" if row["leaving"] else (row["problems"] or [""])[0]),
)
SERVICE_COLUMNS: Final = (
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("TYPE", "type"),
    Column("MEMBERS", lambda row: f"{row['members']}/{row['of']}"),
    Column("ADDRESSES", "addresses"),
    Column("HEALTHY", _word("healthy")),
    Column("DNS", _word("dns")),
    Column("REASON", "reason"),
    Column("MESSAGE", lambda row: "; ".join(t for t in row["messages"].values() if t), wide=True),
)


def member_listing(rows: Sequence[Mapping[str, Any]], down: Sequence[str] = ()) -> Listing:
    """One row for each member; those that are ``down`` are failures."""
    by_name = {row["name"]: row for row in rows}
    failures = tuple(Failure(name, (by_name[name]["problems"] or ["not ready"])[0]) for name in down)
    return Listing(
        "Cluster",
        rows,
        MEMBER_COLUMNS,
        failures=failures,
        empty="the federation has no members yet: rancherctl federation join FEDERATION --env ENV",
        trouble="not ready",
        hint="rancherctl federation ls -o wide, and rancherctl env status of the member",
    )


def federated_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row for each federated Service."""
    return Listing(
        "FederatedService",
        rows,
        SERVICE_COLUMNS,
        name=lambda row: f"{row['namespace']}/{row['name']}",
        empty="no federated Services: create one with kubectl in the federation",
    )


def federated_record(row: Mapping[str, Any], text: str) -> Record:
    """One Service in full."""
    return Record("FederatedService", row, text=text, name=f"{row['namespace']}/{row['name']}")

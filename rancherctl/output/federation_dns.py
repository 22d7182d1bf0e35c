"""Public names of a federation as results. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rancherctl.output.results import Column, Failure, Listing
from rancherctl.text import and_more, plural

_NAMES: Final = (
    Column("NAME", "name"),
    Column("TYPE", "type"),
    Column("DATA", "data"),
    Column("OBJECT", "object"),
)
_DIFFERENCES: Final = (
    Column("NAME", "name"),
    Column("STATE", "state"),
    Column("OBJECT", "object"),
    Column("REASON", "reason"),
)
_SERVERS: Final = (
    Column("SERVER", "server"),
    Column("ADDRESS", "address"),
    Column("SERIAL", lambda row: "-" if row["serial"] is None else row["serial"]),
    Column("ANSWERS", lambda row: row["problem"] or (f"differs: {and_more(row['wrong'])}" if row["wrong"] else "ok")),
)


def name_listing(rows: Sequence[Mapping[str, Any]]) -> Listing:
    """One row for each record set."""
    return Listing("PublicName", rows, _NAMES, empty="the federation has published no names yet")


def difference_listing(rows: Sequence[Mapping[str, Any]], zone: str, problem: str, hint: str) -> Listing:
    """One row for each name that differs; a ``problem`` with the zone is a failure."""
    failures = (Failure(zone, problem),) if problem else ()
    return Listing(
        "PublicNameDifference",
        rows,
        _DIFFERENCES,
        failures=failures,
        empty="" if problem else "all public names are as the federation wants them",
        trouble="could not be updated",
        hint=hint,
    )


def server_listing(checks: Sequence[Any]) -> Listing:
    """One row for each name server; those that are silent or behind are failures."""
    rows = [{**asdict(check), "wrong": list(check.wrong)} for check in checks]
    failures = tuple(
        Failure(c.server, c.problem or f"{plural(len(c.wrong), 'name')} differ: {and_more(c.wrong)}")
        for c in checks
        if c.problem or c.wrong
    )
    return Listing(
        "NameServer",
        rows,
        _SERVERS,
        name="server",
        failures=failures,
        empty="the federation has no name servers: spec.federation.servers",
        trouble="did not answer as published",
        hint="a secondary that is behind catches up with the next notification; then run this again",
    )

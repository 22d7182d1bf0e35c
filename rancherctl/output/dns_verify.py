"""The result of `dns verify` as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rancherctl.dns import names
from rancherctl.output.results import Column, Failure, Listing

Item = Mapping[str, Any]


def _short(item: Item, text: str) -> str:
    """Names of the run's namespace without what all of them end with."""
    zone = item["zone"]
    return text.replace(f".{zone}", "").replace(zone, "(namespace)")


def _asked(item: Item) -> str:
    name = names.address_of(item["name"]) or _short(item, item["name"])
    return f"{name} {item['type']}" if name else ""


def _answered(item: Item) -> str:
    if item["skip"]:
        return str(item["skip"])
    failed = [s for s in item["servers"] if not s["passed"]]
    if not failed:
        return _short(item, item["servers"][0]["answered"]) if item["servers"] else ""
    answers: dict[str, list[str]] = {}
    for one in failed:
        where = f"{one['server']} on {one['host']}" if one["host"] else one["server"]
        answers.setdefault(_short(item, one["answered"]), []).append(where)
    if len(failed) == len(item["servers"]) and len(answers) == 1:
        return next(iter(answers))
    return "; ".join(f"{', '.join(where)}: {text}" for text, where in answers.items())


COLUMNS: Final = (
    Column("#", "number"),
    Column("RESULT", "result"),
    Column("SECTION", "section"),
    Column("SPECIFICATION", "says"),
    Column("ASKED", _asked),
    Column("EXPECTED", lambda item: _short(item, item["expected"])),
    Column("ANSWERED", _answered),
    Column("NAME", "name", wide=True),
)


def check_listing(rows: Sequence[Item], failures: Mapping[str, str]) -> Listing:
    """List the checks with their results."""
    return Listing(
        "DnsCheck",
        rows,
        COLUMNS,
        name=lambda row: str(row["number"]),
        failures=tuple(Failure(host, why) for host, why in sorted(failures.items())),
        trouble="could not be asked",
        hint="rancherctl dns status, and rancherctl env status",
    )

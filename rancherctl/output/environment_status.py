"""The status of an environment as a result: a summary, one row per host, then problems and drift. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rancherctl.contract import INGRESS_UNIT
from rancherctl.environments.health import grouped
from rancherctl.hosts.model import ROLES
from rancherctl.output.results import Column, Item, Record
from rancherctl.output.tables import table, visible

if TYPE_CHECKING:
    from rancherctl.environments.health import EnvironmentStatus, HostHealth

DRIFT_SHOWN: Final = 10
BALANCER: Final = INGRESS_UNIT.removesuffix(".service")


def _ready(item: Item) -> str:
    return {True: "Ready", False: "NotReady", None: "unknown"}[item["ready"]]


def _units(item: Item) -> str:
    return f"{sum(unit['active'] for unit in item['units'])}/{len(item['units'])}" if item["units"] else "?"


def _balancer(item: Item) -> str:
    if not item["load_balancer"]:
        return "-"
    return {True: "up", False: "down", None: "?"}[
        next((unit["active"] for unit in item["units"] if unit["name"] == BALANCER), None)
    ]


def _certificates(item: Item) -> str:
    days = [certificate["days"] for certificate in item["certificates"]]
    return f"{min(days):.0f}d" if days else "-"


COLUMNS: Final = (
    Column("HOST", "name"),
    Column("ADDRESS", "address"),
    Column("ROLES", lambda item: "all" if len(item["roles"]) == len(ROLES) else ",".join(item["roles"])),
    Column("NODE", _ready),
    Column("UNITS", _units),
    Column(
        "AGENT",
        lambda item: (
            "starting" if item["starting"] else {True: "alive", False: "silent", None: "unknown"}[item["alive"]]
        ),
    ),
    Column("LB", _balancer),
    Column("CERTS", _certificates),
    Column("DRIFT", lambda item: item["drift"] if item["reachable"] else "?"),
    Column("PROBLEMS", lambda item: len(item["problems"]) or "-", wide=True),
    Column("VERSION", "version", wide=True),
    Column("SYSTEM", "system", wide=True),
)


def status_record(status: EnvironmentStatus, *, wide: bool = False) -> Record:
    """The whole status; ``wide`` shows all columns and all drift."""
    return Record(
        "EnvironmentStatus", status_item(status), text=status_text(status, wide=wide), name=status.environment
    )


def status_text(status: EnvironmentStatus, *, wide: bool = False) -> str:
    """The text for people."""
    facts = (
        f"Kubernetes {status.version}",
        f"API {status.server} {'ok' if status.api == 'ok' else 'not answering'}",
    )
    leader = f"leader {status.leader}" if status.leader else "no leader"
    head = [
        f"{status.environment} is {status.state}: {', '.join(facts)}, {leader}",
        *([f"last applied: {status.applied}"] if status.applied else []),
    ]
    columns = [column for column in COLUMNS if wide or not column.wide]
    rows = table([c.title for c in columns], [[c.cell(_host(host)) for c in columns] for host in status.hosts])
    lines = [f"problem: {line}" for line in grouped(status.problems())]
    drift = grouped(status.drift)
    shown = drift if wide else drift[:DRIFT_SHOWN]
    lines += [f"drift: {host}: apply would {line}" for host, _, line in (entry.partition(": ") for entry in shown)]
    if len(drift) > len(shown):
        lines.append(f"drift: and {len(drift) - len(shown)} more (rancherctl env plan {status.environment})")
    lines += [f"next: {line}" for line in status.remedies()]
    lines += [f"note: {line}" for line in status.notes]
    text = [*head, "", *rows.splitlines(), *([""] if lines else []), *lines]
    return "".join(f"{visible(line)}\n" for line in text)


def status_item(status: EnvironmentStatus) -> dict[str, Any]:
    """The fields for scripts."""
    return {
        "environment": status.environment,
        "state": status.state,
        "kubernetes": status.version,
        "server": status.server,
        "api": status.api,
        "leader": status.leader,
        "applied": status.applied,
        "hosts": [_host(host) for host in status.hosts],
        "problems": list(status.problems()),
        "drift": list(status.drift),
        "next": list(status.remedies()),
        "notes": list(status.notes),
    }


def _host(host: HostHealth) -> dict[str, Any]:
    return asdict(host) | {"problems": list(host.problems())}

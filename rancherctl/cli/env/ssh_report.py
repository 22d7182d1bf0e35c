"""Which ssh client this machine uses for each host of an environment, and why: for ``env show``."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from rancherctl.environments.model import Environment
from rancherctl.hosts.fanout import each
from rancherctl.hosts.ssh_configurations import SshConfigurations
from rancherctl.text import and_more


def ssh_clients(environment: Environment) -> list[dict[str, Any]]:
    """``host``, ``client`` and ``reason`` of each host; ``problem`` if it cannot connect like this."""
    configurations = SshConfigurations()
    found = each(environment.hosts, lambda host: configurations.choice(host.ssh))
    rows = []
    for name, outcome in found.items():
        choice = outcome.value
        row = {
            "host": name,
            "client": choice.name if choice is not None else "",
            "reason": choice.reason if choice is not None else "",
            "problem": (choice.warning or choice.problem) if choice is not None else str(outcome.error),
        }
        rows.append({key: value for key, value in row.items() if value})
    return rows


def as_comments(rows: list[dict[str, Any]]) -> str:
    """The rows as comments of a YAML file, hosts with the same client and reason in one line."""

    def line(row: dict[str, Any]) -> str:
        client = f"{row['client']} ({row['reason']})" if "client" in row else ""
        return "; ".join(part for part in (client, row.get("problem", "")) if part)

    grouped = [(text, [row["host"] for row in group]) for text, group in groupby(sorted(rows, key=line), line)]
    return "".join(f"# ssh client of {and_more(hosts)}: {text}\n" for text, hosts in grouped)

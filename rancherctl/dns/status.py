"""The state of one host's server, read on the host itself, so that it is available while the API is down."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rancherctl.contract import RUN
from rancherctl.dns import named_conf, observe, stats, upstreams
from rancherctl.dns.client import Channel
from rancherctl.dns.model import DnsHostConfig
from rancherctl.errors import RancherctlError

RUN_FILE = Path(RUN) / "dns.json"
"""The last section of the dns role; on a file system in memory."""
STALE_AFTER = 60.0
"""Seconds after which a host's state counts as outdated: an agent writes every few seconds."""


def write_section(section: Mapping[str, Any], path: Path = RUN_FILE) -> None:
    """Write the role's section for ``host_status``."""
    part = path.with_suffix(".new")
    part.write_text(json.dumps(section))
    part.replace(path)


def read_section(path: Path = RUN_FILE, *, now: float | None = None) -> dict[str, Any] | None:
    """The role's last section with its ``age`` in seconds; None if the agent has written none since the host booted."""
    try:
        text, changed = path.read_text(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    section: dict[str, Any] = json.loads(text)
    return {**section, "age": round((now or time.time()) - changed, 1)}


def host_status(config: DnsHostConfig, path: Path = RUN_FILE) -> dict[str, Any]:
    """Zones and counters from the server, the rest from the role, as JSON values.

    ``error`` says why the server could not be read.
    """
    out: dict[str, Any] = {"node": config.node, "zones": {}, "error": "", "agent": read_section(path)}
    channel = Channel(config.control_port, config.key_file)
    try:
        for zone in named_conf.zones(config):
            reading = observe.read_marker(channel, zone)
            serial = observe.read_serial(channel, zone) if reading.loaded else 0
            marker = reading.marker
            out["zones"][zone] = {
                "loaded": reading.loaded,
                "serial": serial,
                "hash": marker.hash if marker else "",
                "why": reading.why,
            }
        out["server"] = stats.read(config.stats_port).as_json()
    except RancherctlError as error:
        out["error"] = str(error)
    finally:
        channel.close()
    return out


def summary(status: Mapping[str, Any]) -> dict[str, Any]:
    """One row of ``dns status``. ``age`` is the time since the host was last in sync with the API (None: unknown)."""
    agent = status.get("agent") or {}
    metrics = agent.get("metrics") or {}
    server = status.get("server") or {}
    zones = status.get("zones") or {}
    first: Mapping[str, Any] = next(iter(zones.values()), {})
    section_age = agent.get("age")
    age = None if section_age is None else round(section_age + metrics.get("unheard", 0.0), 1)
    problems = [
        status.get("error", ""),
        agent.get("problem", ""),
        agent.get("alarm", ""),
        agent.get("error", ""),
        _staleness(section_age, age),
    ]
    listed = (agent.get("upstreams") or {}).get("servers") or []
    problems += upstreams.problems(listed)
    problems += [f"{name}: {text}" for name, text in (agent.get("problems") or {}).items()]
    return {
        "host": status["node"],
        "engine": server.get("version", ""),
        "serial": first.get("serial", 0),
        "hash": first.get("hash", ""),
        "loaded": bool(zones) and all(z["loaded"] for z in zones.values()),
        "synced": bool(agent.get("synced")) and age is not None and age <= STALE_AFTER,
        "age": age,
        "records": metrics.get("records"),
        "queries": server.get("queries"),
        "hits": server.get("hits"),
        "misses": server.get("misses"),
        "lag": metrics.get("lag_ms"),
        "upstreams": agent.get("upstreams") or {},
        "problems": [text for text in problems if text],
    }


def upstream_rows(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of ``dns status --upstreams`` (upstreams.rows); [] from agents of release 0.1."""
    agent = status.get("agent") or {}
    return [{"host": status["node"], **row} for row in (agent.get("upstreams") or {}).get("servers") or []]


def _staleness(section_age: float | None, age: float | None) -> str:
    if section_age is None or age is None:
        return "the agent has not reported since the host booted: systemctl status rancherctl-agent"
    if section_age > STALE_AFTER:
        return f"the agent has not reported for {section_age:.0f} s: systemctl status rancherctl-agent"
    return f"no contact with the API for {age:.0f} s: serving the names known then" if age > STALE_AFTER else ""

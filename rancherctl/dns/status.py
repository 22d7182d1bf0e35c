"""How the server of one host is: asked on the host itself, so that it can be said while the API is away."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rancherctl.dns import named_conf, observe, stats
from rancherctl.dns.client import Channel
from rancherctl.dns.model import DnsHostConfig
from rancherctl.errors import RancherctlError

RUN_FILE = Path("/run/rancherctl/dns.json")
"""What the dns role last said about itself; on a file system in memory."""
SILENCE = 60.0
"""Seconds after which what a host knows of the API counts as old: an agent speaks every few seconds, a watch is proved alive within 75."""


def write_section(section: Mapping[str, Any], path: Path = RUN_FILE) -> None:
    """Leave the role's section for ``host_status``."""
    part = path.with_suffix(".new")
    part.write_text(json.dumps(section))
    part.replace(path)


def read_section(path: Path = RUN_FILE, *, now: float | None = None) -> dict[str, Any] | None:
    """The role's last section and ``age`` in seconds; None when the agent has not said anything since the host started."""
    try:
        text, changed = path.read_text(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    section: dict[str, Any] = json.loads(text)
    return {**section, "age": round((now or time.time()) - changed, 1)}


def host_status(config: DnsHostConfig, path: Path = RUN_FILE) -> dict[str, Any]:
    """Zones and counters from the server, the rest from the role: JSON values. A server that does not answer is said in ``error``."""
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
    """One row of ``dns status`` from what a host said. ``age`` is how long ago the host was known to have what the API has (None: never said)."""
    agent = status.get("agent") or {}
    metrics = agent.get("metrics") or {}
    server = status.get("server") or {}
    zones = status.get("zones") or {}
    first: Mapping[str, Any] = next(iter(zones.values()), {})
    said = agent.get("age")
    age = None if said is None else round(said + metrics.get("unheard", 0.0), 1)
    problems = [
        status.get("error", ""),
        agent.get("problem", ""),
        agent.get("alarm", ""),
        agent.get("error", ""),
        _silence(said, age),
    ]
    problems += [f"{name}: {text}" for name, text in (agent.get("problems") or {}).items()]
    return {
        "host": status["node"],
        "engine": server.get("version", ""),
        "serial": first.get("serial", 0),
        "hash": first.get("hash", ""),
        "loaded": bool(zones) and all(z["loaded"] for z in zones.values()),
        "synced": bool(agent.get("synced")) and age is not None and age <= SILENCE,
        "age": age,
        "records": metrics.get("records"),
        "queries": server.get("queries"),
        "hits": server.get("hits"),
        "misses": server.get("misses"),
        "lag": metrics.get("lag_ms"),
        "upstreams": agent.get("upstreams") or {},
        "problems": [text for text in problems if text],
    }


def _silence(said: float | None, age: float | None) -> str:
    if said is None or age is None:
        return "the agent has not said anything since the host started: systemctl status rancherctl-agent"
    if said > SILENCE:
        return f"the agent has said nothing for {said:.0f} s: systemctl status rancherctl-agent"
    return f"the API has not been heard for {age:.0f} s: names are as they were then" if age > SILENCE else ""

"""Time until four lab hosts are Ready with each ssh client, in turn on new hosts, and the ratio of the medians.

One JSON line per value. PAIRS sets how often both are measured (default: 3); the order alternates.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rancherctl import __version__  # noqa: E402
from rancherctl.bundle.versions import DEFAULT  # noqa: E402
from rancherctl.lab.session import running_lab  # noqa: E402
from tests.lab.support import lab_name, make  # noqa: E402

HOSTS: Final = 4
CLIENTS: Final = ("paramiko", "openssh")


def say(name: str, value: float, unit: str, **extra: object) -> None:
    """One result."""
    line = {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "machine": f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}",
        "versions": {"rancherctl": __version__, "kubernetes": DEFAULT},
    }
    print(json.dumps(line | extra), flush=True)


def create(client: str) -> float:
    """Seconds of `env create` on new hosts; until the command returns all Nodes are Ready."""
    name = lab_name("s")
    with tempfile.TemporaryDirectory() as folder, running_lab(name, HOSTS) as lab:
        env = make(name, lab, Path(folder), ssh={"client": client})
        began = time.monotonic()
        env.ok("env", "create", "-f", str(env.file))
        return time.monotonic() - began


def main() -> None:
    times: dict[str, list[float]] = {client: [] for client in CLIENTS}
    for number in range(int(os.environ.get("PAIRS", "3"))):
        for client in CLIENTS if number % 2 == 0 else reversed(CLIENTS):
            load = round(os.getloadavg()[0], 1)
            times[client].append(create(client))
            say(f"{HOSTS} lab hosts Ready, {client}, pair {number + 1}", times[client][-1], "s", load_before=load)
    medians = {client: statistics.median(found) for client, found in times.items()}
    for client, median in medians.items():
        say(f"{HOSTS} lab hosts Ready, {client}, median", median, "s", worst=round(max(times[client]), 1))
    say(f"{HOSTS} lab hosts Ready, openssh / paramiko", medians["openssh"] / medians["paramiko"], "x")


main()

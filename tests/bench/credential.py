"""The exec plug-in with a cached token beside a bare Python: median and worst of 15 rounds, wall clock and CPU."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rancherctl.bound_tokens import Token
from rancherctl.credentials import token_cache_writer
from rancherctl.secret import Secret

PROGRAM = Path(sys.executable).with_name("rancherctl-credential")
CASES = {"python -c pass": [sys.executable, "-c", "pass"], "exec credential, cached": [str(PROGRAM), "--env", "bench"]}
ROUNDS = 15


def cpu() -> float:
    """CPU milliseconds of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1000


def main() -> None:
    wall: dict[str, list[float]] = {name: [] for name in CASES}
    work: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as home:
        token_cache_writer.write_token(
            Path(home, ".cache/rancherctl/credentials/bench"), Token(Secret("x" * 900), 0, 3600), time.time()
        )
        for _ in range(ROUNDS):
            for name, argv in CASES.items():
                began, used = time.perf_counter(), cpu()
                subprocess.run(
                    argv,
                    check=True,
                    env={"PATH": os.environ["PATH"], "HOME": home},
                    stdout=subprocess.DEVNULL,
                    timeout=30,
                )
                wall[name].append((time.perf_counter() - began) * 1000)
                work[name].append(cpu() - used)
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    bare, ours = CASES
    ratios = [a / b for a, b in zip(wall[ours], wall[bare], strict=True)]
    rows = [(name + what, values[name], "ms") for name in CASES for what, values in (("", wall), (", CPU", work))]
    for name, values, unit in (*rows, (f"{ours}, over a bare Python", ratios, "x")):
        line = {
            "name": name,
            "value": round(statistics.median(values), 1),
            "worst": round(max(values), 1),
            "unit": unit,
        }
        print(json.dumps(line | {"machine": machine, "versions": {"python": platform.python_version()}}), flush=True)


main()

"""Start-up times of the command line: median and worst of 15 runs, and ratios to a bare Python in the same rounds."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / ".venv" / "bin" / "rancherctl")
COMPLETION = 'source "$1"; COMP_WORDS=(rancherctl env status ""); COMP_CWORD=3; COMPREPLY=(); _rancherctl'
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "rancherctl --version": [PROGRAM, "--version"],
    "rancherctl --help": [PROGRAM, "--help"],
    "rancherctl env ls (nothing known)": [PROGRAM, "env", "ls"],
    "TAB in bash": ["bash", "--norc", "-c", COMPLETION, "bash", str(ROOT / "completions" / "rancherctl.bash")],
}
ROUNDS = 15


def main() -> None:
    found: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as home:
        env = {"PATH": os.environ["PATH"], "HOME": home}
        for _ in range(ROUNDS):
            for name, argv in CASES.items():
                began = time.perf_counter()
                subprocess.run(argv, check=True, env=env, capture_output=True, timeout=30)
                found[name].append((time.perf_counter() - began) * 1000)
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    for name, values in found.items():
        say(name, values, "ms", machine)
        if name.startswith("rancherctl"):
            say(
                f"{name}, over a bare Python",
                [a / b for a, b in zip(values, found["python -c pass"], strict=True)],
                "x",
                machine,
            )


def say(name: str, values: list[float], unit: str, machine: str) -> None:
    """One JSON line: median and worst."""
    line = {"name": name, "value": round(statistics.median(values), 1), "worst": round(max(values), 1), "unit": unit}
    print(
        json.dumps(line | {"machine": machine, "versions": {"python": platform.python_version()}}, ensure_ascii=False),
        flush=True,
    )


main()

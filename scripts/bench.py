"""`make bench`: run every bench under tests/bench, append one JSON line per value to bench.jsonl, print a table.

Values are stored as soon as a bench has finished: one that fails or hangs later loses none, and the exit code is 1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rancherctl.output.tables import table
from rancherctl.settings import load

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 4 * 3600.0
"""Seconds for one bench: a cold `make test` takes up to 40 minutes, on a busy machine more."""


def measure(script: Path) -> tuple[list[dict[str, Any]], bool]:
    """The JSON lines of one bench, and whether it completed."""
    began = time.monotonic()
    print(f"== {script.name}", flush=True)
    try:
        done = subprocess.run(
            [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=False, cwd=ROOT
        )
        out, ended = done.stdout, done.returncode == 0
    except subprocess.TimeoutExpired as slow:
        out, ended = (slow.stdout or b"").decode() if isinstance(slow.stdout, bytes) else slow.stdout or "", False
    print(f"== {script.name}: {'' if ended else 'FAILED after '}{time.monotonic() - began:.0f} s", flush=True)
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")], ended


def keep(found: list[dict[str, Any]], log: Path) -> None:
    """Append the lines with the time and, unless the bench reports it, the load."""
    log.parent.mkdir(parents=True, exist_ok=True)
    stamp = {"time": int(time.time()), "load": round(os.getloadavg()[0], 1)}
    with log.open("a", encoding="utf-8") as out:
        out.writelines(json.dumps({**stamp, **line}, ensure_ascii=False) + "\n" for line in found)


def main(words: list[str]) -> int:
    scripts = [path for path in sorted((ROOT / "tests" / "bench").glob("*.py")) if not words or path.stem in words]
    unknown = sorted(set(words) - {path.stem for path in scripts})
    if unknown:
        print(f"bench: not found under tests/bench: {', '.join(unknown)}", file=sys.stderr)
        return 2
    log = load({}).dirs.state / "bench.jsonl"
    found, failed = list[dict[str, Any]](), list[str]()
    for script in scripts:
        lines, ended = measure(script)
        keep(lines, log)
        found += lines
        if not ended:
            failed.append(script.name)
    rows = [
        [str(line[key]) if key in line else "-" for key in ("name", "value", "worst", "unit", "machine")]
        for line in found
    ]
    print(table(("NAME", "VALUE", "WORST", "UNIT", "MACHINE"), rows), end="")
    print(f"written to {log}; load now {os.getloadavg()[0]:.1f}")
    if failed:
        print(f"bench: {', '.join(failed)} failed; the table has what they measured before", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

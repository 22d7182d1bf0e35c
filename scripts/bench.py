"""`make bench`: run every bench under tests/bench, keep one JSON line per value in bench.jsonl under the state folder, print a table."""

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
LIMIT = 1800.0


def measure(script: Path) -> list[dict[str, Any]]:
    """The JSON lines of one bench; a bench that fails is told and leaves no numbers."""
    began = time.monotonic()
    print(f"== {script.name}", flush=True)
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, timeout=LIMIT, check=False, cwd=ROOT)
    print(f"== {script.name}: {'FAILED after ' if done.returncode else ''}{time.monotonic() - began:.0f} s", flush=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines] if done.returncode == 0 else []


def main() -> None:
    wanted = sys.argv[1:]
    scripts = [path for path in sorted((ROOT / "tests" / "bench").glob("*.py")) if not wanted or path.stem in wanted]
    found = [line for script in scripts for line in measure(script)]
    log = load({}).dirs.state / "bench.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as out:
        out.writelines(json.dumps({"time": int(time.time()), **line}, ensure_ascii=False) + "\n" for line in found)
    rows = [[str(line[key]) if key in line else "-" for key in ("name", "value", "worst", "unit", "machine")] for line in found]
    print(table(("NAME", "VALUE", "WORST", "UNIT", "MACHINE"), rows), end="")
    print(f"written to {log}; load now {os.getloadavg()[0]:.1f}")


main()

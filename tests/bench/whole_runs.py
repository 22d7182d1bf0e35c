"""`make demo` as a stranger runs it, timed from outside. One JSON line a value.

Always: with everything there, unless a demo stands (KEEP=1 left it): that one is not taken away.
BENCH_COLD=1: also in a clean clone with no virtual environment and no caches; packages of the machine stay installed.
BENCH_TEST=1: also `make test`, in this tree, and with BENCH_COLD=1 in the clean clone.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rancherctl import __version__  # noqa: E402
from rancherctl.bundle.versions import DEFAULT  # noqa: E402
from rancherctl.lab import state  # noqa: E402
from rancherctl.lab.paths import Roots  # noqa: E402

DEMO = "demo"


def wanted(name: str) -> bool:
    """Whether a variable asks for something."""
    return os.environ.get(name, "") not in ("", "0")


def timed(word: str, how: str, tree: Path, extra: Mapping[str, str]) -> bool:
    """Run ``make WORD`` and print its duration; for a failed run print only where its output is."""
    environment = {key: value for key, value in os.environ.items() if key != "KEEP"} | dict(extra)
    began = time.monotonic()
    done = subprocess.run(["make", word], cwd=tree, env=environment, stdout=sys.stderr, check=False)
    if done.returncode:
        print(f"make {word}, {how}: exit code {done.returncode}", file=sys.stderr)
        return False
    machine = f"{os.cpu_count()} x {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    line = {"name": f"make {word}, {how}", "value": round(time.monotonic() - began, 1), "unit": "s", "machine": machine}
    print(json.dumps(line | {"versions": {"rancherctl": __version__, "kubernetes": DEFAULT}}), flush=True)
    return True


def main() -> int:
    if DEMO in state.names(Roots()):
        print("a demo stands on this machine: `make demo` is not measured", file=sys.stderr)
        return 0
    words = [DEMO, *(["test"] if wanted("BENCH_TEST") else [])]
    good = [timed(word, "everything there", ROOT, {}) for word in words]
    if wanted("BENCH_COLD"):
        with tempfile.TemporaryDirectory(prefix="rancherctl-bench-") as folder:
            clone, caches = Path(folder, "clone"), Path(folder, "caches")
            subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
            for word in words:
                places = ("RANCHERCTL_CACHE_DIR", "GOCACHE", "GOMODCACHE", "PIP_CACHE_DIR")
                fresh = {name: str(caches / word / name) for name in places}
                subprocess.run(["rm", "-rf", str(clone / ".venv")], check=True)
                good.append(timed(word, "nothing there but packages", clone, fresh))
                subprocess.run(["rm", "-rf", str(caches)], check=True)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Instructions of HAProxy for one request with 0, 5 and 15 options: ours, and the same written by hand.

One JSON line for each number of options. Needs valgrind (callgrind), which counts instructions in user mode: the load
of the machine does not change them. The one written by hand has the same front end, but the lines of its options in
its one backend and no maps of values: the difference is what the table of annotations costs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.role.config import LbConfig
from rancherctl.ingress.role.reconcile import LbRole
from rancherctl.ingress.translate import endpoints
from tests.bench import ingress_overhead
from tests.bench.ingress_overhead import BEHIND, HOST, accepts, haproxy, load
from tests.fakes import ingress as fake

REQUESTS = 2_000
NO_REP_MOVSB = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=1000000000"}
"""callgrind counts that instruction once for each byte, a processor copies 64 at a time."""
FIVE = {
    "timeout-read": "90s",
    "timeout-tunnel": "2h",
    "body-size": "100m",
    "allow-source": "127.0.0.0/8",
    "cors-origins": "https://a.example.org",
}
FIFTEEN = FIVE | {
    "deny-source": "192.0.2.0/24",
    "cors-methods": "GET, POST",
    "cors-headers": "X-A",
    "cors-expose": "X-B",
    "cors-credentials": "true",
    "sticky": "cookie",
    "sticky-secure": "true",
    "balance": "leastconn",
    "check-path": "/",
    "check-interval": "10s",
}
BY_HAND = """\
  timeout server 90s
  timeout tunnel 2h
  http-request return status 413 if { req.hdr(content-length) -m int gt 104857600 }
"""


def by_hand(text: str) -> str:
    """The same configuration as a person would write it: no maps of values, and all lines in the one backend."""
    section, rest = re.search(r"^defaults values-\S+ from base\n((?:  .*\n)*)", text, re.MULTILINE), text
    if section is None:
        return text
    looked_up = re.compile(r"txn\.value|txn\.client|txn\.needed|client_")
    kept = [line for line in section[1].splitlines(True) if not looked_up.search(line)]
    rest = text.replace(section[0], "")
    live = re.search(r"^backend \S+ from values-\S+  # default/web.*\n", rest, re.MULTILINE)
    assert live is not None
    name = live[0].split()[1]
    rest = rest.replace(live[0], f"backend {name} from base\n{''.join(kept)}{BY_HAND}")
    # Spare backends of this profile are ours alone.
    return re.sub(r"^backend \S+ from values-\S+  # spare\n(?:  .*\n)*", "", rest, flags=re.MULTILINE)


def main() -> None:
    setattr(endpoints, "routable", lambda address: True)  # noqa: B010  # a module of the product
    ingress_overhead.REQUESTS = REQUESTS
    for options in ({}, FIVE, FIFTEEN):
        with tempfile.TemporaryDirectory(prefix="rancherctl-options-") as name:
            compare(Path(name), options)


def compare(folder: Path, options: dict[str, str]) -> None:
    """Measure one set of options."""
    (folder / "ours").mkdir()
    ours, behind = fake.Haproxy(folder / "ours"), fake.free_port()
    role = LbRole(LbConfig("h1", ours.listeners, paths=ours.paths), driver=ours.driver())
    notes = {INGRESS_PREFIX + name: text for name, text in options.items()}
    wanted = [fake.ingress("a", [(HOST, "Prefix", "/", "web:80")], annotations=notes)]
    with haproxy(folder, "behind", BEHIND.format(port=behind), behind):
        slices = [fake.endpoint_slice("web", [("127.0.0.1", behind)])]
        role.reconcile(fake.snapshot(wanted, [fake.service("web")], slices))
        ours.stop()
        text = Path(ours.paths.config).read_text().replace("global\n", "global\n  nbthread 1\n")
        text = re.sub(r"  mworker-max-reloads .*\n", "", text)
        found = {name: instructions(folder / f"{name}.cfg", made, ours.port) for name, made in texts(text).items()}
    row = {
        "name": f"ingress: instructions of a request with {len(options)} options",
        "value": round(found["ours"]),
        "unit": "instructions",
        "ratio": round(found["ours"] / found["by hand"], 3),
        "more": round(found["ours"] - found["by hand"]),
    }
    print(json.dumps(row), flush=True)


def texts(ours: str) -> dict[str, str]:
    """The configurations to compare."""
    return {"by hand": by_hand(ours), "ours": ours}


def instructions(config: Path, text: str, port: int) -> float:
    """Instructions of one request by a HAProxy with this configuration."""
    config.write_text(text)
    command = [
        "valgrind",
        "--tool=callgrind",
        f"--callgrind-out-file={config}.out",
        "haproxy",
        "-db",
        "-f",
        str(config),
    ]
    with config.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | NO_REP_MOVSB)
    try:
        accepts(port)
        load(port)  # the first requests open connections to the server
        subprocess.run(["callgrind_control", "--zero", str(process.pid)], check=True, capture_output=True)
        load(port)
        subprocess.run(["callgrind_control", "--dump", str(process.pid)], check=True, capture_output=True)
    finally:
        process.terminate()
        process.wait(60)
    last = max(config.parent.glob(f"{config.name}.out.*"), key=lambda path: path.stat().st_mtime_ns)
    totals = re.search(r"^(?:totals|summary): (\d+)", last.read_text(), re.MULTILINE)
    assert totals is not None
    return int(totals[1]) / ingress_overhead.REQUESTS


if __name__ == "__main__":
    main()

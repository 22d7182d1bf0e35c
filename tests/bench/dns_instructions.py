"""Instructions of named for one query: our configuration, the same without the reverse policy, and a plain BIND.

One JSON line a value. Needs valgrind (callgrind), which counts instructions in user mode: the load of the machine does
not change them. Our zones are written by the dns role; each server then starts with them, as after a restart.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rancherctl.dns.reconcile import DnsRole  # noqa: E402
from tests.bench.dns_negative import PLAIN, kinds, load, question, world  # noqa: E402
from tests.fakes.named import Named, without_policy  # noqa: E402

QUERIES = 3_000
START = 240.0
"""Seconds in which a server must answer; callgrind makes it about fifty times slower."""


@contextmanager
def counted(conf: Path, port: int) -> Iterator[int]:
    """The process of a named with this configuration under callgrind; it answers on ``port``."""
    log = conf.with_suffix(".log")
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={conf}.out"]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "named", "-f", "-n", "1", "-c", str(conf)], stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START
        while not (b"running" in log.read_bytes() and answers(port)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(log.read_text(errors="replace")[-2000:])
            time.sleep(0.5)
        time.sleep(3.0)  # the policy is read after the zones
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def answers(port: int) -> bool:
    """Whether the server has loaded the zone of the cluster's domain."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(5.0)
        try:
            sock.send(b"\0\0" + question("s0.ns0.svc.cluster.local"))
            return not sock.recv(4096)[3] & 0x0F
        except OSError:
            return False


def instructions(conf: Path, port: int) -> dict[str, float]:
    """Instructions for one query, by kind of question."""
    found = {}
    with counted(conf, port) as pid:
        for kind, (rcode, questions) in kinds().items():
            load(port, questions, rcode, len(questions))
            subprocess.run(["callgrind_control", "--zero", str(pid)], check=True, capture_output=True)
            load(port, questions, rcode, QUERIES)
            subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
            last = max(conf.parent.glob(f"{conf.name}.out.*"), key=lambda path: path.stat().st_mtime_ns)
            totals = re.search(r"^(?:totals|summary): (\d+)", last.read_text(), re.MULTILINE)
            assert totals is not None
            found[kind] = int(totals[1]) / QUERIES
    return found


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="rancherctl-dns-instructions-"))
    ours = Named(folder / "ours")
    try:
        ours.start()
        role, tables = DnsRole(ours.config, ours, probe=False), world()
        while not role.reconcile(tables.snapshot())["synced"]:
            time.sleep(0.02)
        role.stop()
        ours.stop()
        port, text = ours.config.port, (folder / "ours/etc/named.conf").read_text()
        texts = {
            "plain BIND": PLAIN.format(data=ours.data, port=port),
            "without the policy": without_policy(text),
            "ours": text,
        }
        base: dict[str, float] = {}
        for number, (name, conf) in enumerate(texts.items()):
            path = folder / f"{number}.conf"
            path.write_text(conf)
            found = instructions(path, port)
            base = base or found
            for kind, value in found.items():
                row = {
                    "name": f"dns: instructions of {kind}, {name}",
                    "value": round(value),
                    "unit": "instructions",
                    "ratio": round(value / base[kind], 3),
                }
                print(json.dumps(row), flush=True)
    finally:
        ours.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

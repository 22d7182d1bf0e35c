"""``dns verify`` on real hosts: the whole specification at both addresses of each host, and nothing is left."""

from __future__ import annotations

import json
import signal
import subprocess

from tests.lab.dns.test_dns_lab import ADDRESSES
from tests.lab.measures import Measure
from tests.lab.support import Environment, until


def left(env: Environment) -> list[str]:
    """Namespaces of runs that are not being removed."""
    found = env.get("namespaces", "-l", "rancherctl.io/dns-verify")["items"]
    return [one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]]


def test_every_server_of_every_host_follows_the_specification(shared: Environment, measure: Measure) -> None:
    found = json.loads(shared.ok("dns", "verify", "-o", "json"))["items"]
    assert {row["result"] for row in found} == {"passed", "skipped"}
    places = {(s["host"], s["server"]) for row in found for s in row["servers"]}
    assert places == {(h.name, address) for h in shared.lab.hosts() for address in ADDRESSES}
    assert all(len(row["servers"]) == len(places) for row in found if row["result"] == "passed")
    assert left(shared) == []
    measure("dns verify: checks passed on all hosts", sum(row["result"] == "passed" for row in found), "checks")


def test_an_interrupted_run_removes_its_namespace(shared: Environment) -> None:
    """It waits for an answer that does not come: the server of the last check is not reachable from here."""
    argv = [str(shared.programs / "rancherctl"), "dns", "verify", "--server", "192.0.2.53", "--timeout", "5m"]
    process = subprocess.Popen(argv, env=shared.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until("its namespace", lambda: left(shared))
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, stderr
    assert left(shared) == []

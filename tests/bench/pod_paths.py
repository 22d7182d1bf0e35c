"""CPU of the pod path check on one host: python tests/bench/pod_paths.py [HOSTS] (root; three hosts as namespaces).

Measures the check itself in this process and its commands (agent), and the endpoint's process, over 50 checks of DNS,
API and two others, and prints the share of a core at the usual period. A host asks three others, however many there
are, so the figure holds for 50 hosts, where each endpoint answers three others on average.
"""

from __future__ import annotations

import os
import resource
import ssl
import sys
import tempfile
from pathlib import Path

from rancherctl.pod_paths.model import PERIOD_SECONDS
from tests.fakes.certificates import certificate
from tests.fakes.pod_network import PodNetwork

CHECKS = 50
TICK = os.sysconf("SC_CLK_TCK")


def of_process(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def own() -> float:
    """CPU seconds of this process and its finished children (ip, nft)."""
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        pair, _ = certificate(Path(name) / "api")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        network = PodNetwork(Path(name), context)
        try:
            measure(network)
        finally:
            network.close()


def measure(network: PodNetwork) -> None:
    host, others = network.hosts[1], network.others(network.hosts[1])
    for what in ("everything works", "pods of h3 do not answer (a route is missing)"):
        if "h3" in what:
            host.route(network.hosts[2], "del")
        before, there = own(), of_process(host.endpoint.pid)
        for _ in range(CHECKS):
            host.paths(*others)
        agent, endpoint = (own() - before) / CHECKS, (of_process(host.endpoint.pid) - there) / CHECKS
        share = (agent + endpoint) / PERIOD_SECONDS
        print(
            f"{what}: {1000 * agent:.1f} ms agent (with its commands) and {1000 * endpoint:.1f} ms endpoint a check,"
            f" {share:.3%} of a core at {PERIOD_SECONDS} s"
        )
    memory = Path(f"/proc/{host.endpoint.pid}/status").read_text().partition("VmRSS:")[2].split()[0]
    print(f"endpoint: {int(memory) / 1024:.1f} MiB resident")


if __name__ == "__main__":
    sys.exit(main())

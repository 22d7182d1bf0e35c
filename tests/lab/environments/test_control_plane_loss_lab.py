"""The only control-plane host is off: everything keeps serving, even after a worker reboots; its return is harmless."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import CommandError, Environment, all_hosts_take_part, curl, until
from tests.lab.traffic import DNS, QUERY_SCRIPT, Queries, Traffic, failed

PROBE = "rancherctl-test-boot.service"
NOTES = "/var/tmp/rancherctl-test-boot"
pytestmark = pytest.mark.slow


@pytest.fixture
def repaired(shared: Environment) -> Iterator[None]:
    """Afterwards every host is on and takes part, whatever the test did."""
    yield
    for row in shared.lab.status():
        if row.state == "stopped":
            shared.lab.start(row.name)
    until("all hosts take part again", lambda: all_hosts_take_part(shared), timeout=240, pause=0.5)


def answers(env: Environment, host: str, name: str) -> list[str]:
    """What both DNS addresses of a host answer, in order."""
    return [env.ssh(host, f"dig +short +time=5 +tries=1 @{a} {name} || true").strip() for a in DNS]


def test_control_plane_host_off_and_a_worker_rebooted_meanwhile(
    shared: Environment, namespace: str, repaired: None, measure: Measure
) -> None:
    """Routes and names keep working without the API.

    A worker that is rebooted meanwhile restores network, names and routes from its stored state. When the control plane
    is back, no status and no roster is emptied, and everything converges by itself.
    """
    w.web(shared, namespace, 2, **w.away_from("h1", "h4"))
    shared.apply(w.ingress(namespace, "web", w.host(namespace), "web", scale="4"), w.pod(namespace, "onlooker", "h4"))
    before = w.published(shared, namespace, "web", 4)
    w.ready(shared, namespace, "pod", "onlooker")
    name, address = f"web.{namespace}.svc.cluster.local", w.cluster_ip(shared, namespace, "web")
    for host in ("h2", "h3", "h4"):
        until(f"{name} on {host}", lambda h=host: answers(shared, h, name) == [address] * 2)
    other = [shared.lab.host(h).address for h in ("h2", "h3")]
    rebooted = shared.lab.host("h4").address

    with (
        Traffic(lambda: other, w.host(namespace), slots=2, pause=0.05) as traffic,
        Queries(shared, "h2", name) as queries,
    ):
        shared.lab.stop("h1")
        off = time.monotonic()
        traffic.wait_for(100)
        assert curl(rebooted, w.host(namespace))[0] == 200
        _watch_boot(shared, "h4", name)
        shared.lab.reboot("h4")
        up = time.monotonic()
        # The lab returns once ssh answers; units may still be starting.
        until("names on the rebooted host, both addresses", lambda: answers(shared, "h4", name) == [address] * 2)
        measure("rebooted without API, names answer after ssh does", time.monotonic() - up, "s")
        until("routes on the rebooted host", lambda: curl(rebooted, w.host(namespace))[0] == 200)
        measure("rebooted without API, routes answer after ssh does", time.monotonic() - up, "s")
        named = until("first answers were recorded", lambda: _first_answers(shared, "h4"))
        measure("rebooted without API, named's start to answers at both addresses", named, "s")
        assert _from_a_pod_network(shared, "h4", name) == [address] * 2
        for backend in shared.ssh("h4", "ip -4 route show proto 173").splitlines():
            assert "10.42." in backend
        traffic.wait_for(60)
    assert not failed(traffic.samples()), failed(traffic.samples())[:5]
    assert len(queries.samples(since=off)) > 100
    assert not failed(queries.samples()), failed(queries.samples())[:5]

    shared.lab.start("h1")
    seen: list[tuple[tuple[str, ...], int]] = []

    def look() -> bool:
        try:
            addresses = tuple(shared.addresses("web", namespace))
            roster = json.loads(shared.get("configmap", "roster", "-n", "rancherctl-system")["data"]["roster"])
        except CommandError:
            return False
        seen.append((addresses, sum(h["alive"] for h in roster["hosts"])))
        return all_hosts_take_part(shared) and list(addresses) == before

    back = time.monotonic()
    until("everything is as before", look, timeout=240, pause=0.2)
    measure("control plane back, everything as before", time.monotonic() - back, "s")
    assert min(len(a) for a, _ in seen) >= 3, seen
    assert min(alive for _, alive in seen) >= 3, seen
    w.ready(shared, namespace, "deployment", "web")
    w.ready(shared, namespace, "pod", "onlooker")
    until("all addresses serve", lambda: [curl(a, w.host(namespace))[0] for a in before] == [200] * 4)
    inside = ("exec", "-n", namespace, "onlooker", "--", "/testweb", "resolve", name)
    assert until("names from a pod", lambda: shared.kubectl(*inside).split()) == [address]


def _watch_boot(env: Environment, host: str, name: str) -> None:
    """Install a unit that resolves a name from early in the next boot on, and records every answer in a file."""
    env.lab.ssh(host, f"cat > {NOTES}.py", stdin=QUERY_SCRIPT.read_text(encoding="utf-8"))
    unit = f"""[Unit]
DefaultDependencies=no
After=local-fs.target
[Service]
ExecStart=/bin/sh -c 'sleep 900 | exec python3 -I {NOTES}.py {name} 0.01 1 {" ".join(DNS)} > {NOTES}'
[Install]
WantedBy=multi-user.target
"""
    env.lab.ssh(
        host, f"cat > /etc/systemd/system/{PROBE} && systemctl daemon-reload && systemctl enable -q {PROBE}", stdin=unit
    )


def _first_answers(env: Environment, host: str) -> float:
    """Seconds from named's start on this boot until it answered at both addresses; 0 if it has not yet.

    Removes the probe's unit afterwards.
    """
    started = (
        int(env.ssh(host, "systemctl show -p ExecMainStartTimestampMonotonic --value rancherctl-dns.service")) / 1e6
    )
    first: dict[str, float] = {}
    for line in env.ssh(host, f"cat {NOTES}").splitlines():
        at, seconds, server, error, _ = line.split("\t")
        if not error:
            first.setdefault(server, float(at) + float(seconds))
    if len(first) < len(DNS):
        return 0.0
    env.ssh(
        host,
        f"systemctl disable -q --now {PROBE}; rm -f /etc/systemd/system/{PROBE} {NOTES} {NOTES}.py;"
        " systemctl daemon-reload",
    )
    return max(first.values()) - started


def _from_a_pod_network(env: Environment, host: str, name: str) -> list[str]:
    """What the host's DNS addresses answer to a namespace wired like a pod: no pod can start without the API."""
    script = f"""
    at=$(sed -n 's/.*"subnet": "\\([0-9.]*\\)\\.0\\/24".*/\\1/p' /etc/cni/net.d/*.conflist)
    ip netns add probe && ip link add probe0 type veth peer name probe1 netns probe
    ip addr add $at.1/32 dev probe0; ip link set probe0 up; ip route add $at.253/32 dev probe0
    ip -n probe addr add $at.253/32 dev probe1; ip -n probe link set probe1 up
    ip -n probe route add $at.1 dev probe1; ip -n probe route add default via $at.1
    for a in {" ".join(DNS)}; do ip netns exec probe dig +short +time=10 +tries=2 @$a {name} || true; done
    ip netns del probe
    """
    return env.ssh(host, script).split()

"""The only control-plane host is off: everything keeps serving, even after a worker reboots; its return is harmless.

The tests are steps of one outage, in this order: h1 is stopped and h4 rebooted once, then h1 is started again once.
"""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.fakes import tls
from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import CommandError, Environment, all_hosts_take_part, curl, until
from tests.lab.traffic import DNS, QUERY_SCRIPT, Queries, Traffic, failed

PROBE = "rancherctl-test-boot.service"
SECURE = "secure.example.org"
SITE = tls.Authority().issue(SECURE)
NOTES = "/var/tmp/rancherctl-test-boot"
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class PublishedWeb:
    """A web Service with an Ingress on all four hosts, and a pod ``onlooker`` on h4."""

    env: Environment
    namespace: str
    name: str
    cluster_ip: str
    published: list[str]

    @property
    def host(self) -> str:
        """The host name of the Ingress."""
        return w.host(self.namespace)

    @property
    def rebooted(self) -> str:
        """The address of h4."""
        return self.env.lab.host("h4").address

    def answers(self, host: str) -> list[str]:
        """What both DNS addresses of a host answer, in order."""
        return [self.env.ssh(host, f"dig +short +time=5 +tries=1 @{a} {self.name} || true").strip() for a in DNS]


@dataclass(frozen=True)
class Outage:
    """h1 is off, h4 was rebooted meanwhile; requests to h2 and h3 and queries on h2 run.

    ``off`` and ``up`` are the moments when h1 was off and h4 answered ssh again; ``status`` is what h4 answered between
    them.
    """

    traffic: Traffic
    queries: Queries
    clients: ExitStack
    off: float
    up: float
    status: int


@dataclass(frozen=True)
class Recovery:
    """What was seen until everything was as before: (published addresses, hosts alive) and the seconds it took."""

    seen: list[tuple[tuple[str, ...], int]]
    seconds: float


@pytest.fixture(scope="module")
def web(shared: Environment, space: str) -> PublishedWeb:
    w.web(shared, space, 2, **w.away_from("h1", "h4"))
    shared.apply(w.ingress(space, "web", w.host(space), "web", scale="4"), w.pod(space, "onlooker", "h4"))
    shared.apply(w.tls_secret(space, "secure", SITE))
    shared.apply(w.ingress(space, "secure", SECURE, "web", scale="4", secret="secure"))
    w.published(shared, space, "secure", 4)
    published = w.published(shared, space, "web", 4)
    w.ready(shared, space, "pod", "onlooker")
    found = PublishedWeb(shared, space, f"web.{space}.svc.cluster.local", w.cluster_ip(shared, space, "web"), published)
    for host in ("h2", "h3", "h4"):
        until(f"{found.name} on {host}", lambda h=host: found.answers(h) == [found.cluster_ip] * 2)
    return found


@pytest.fixture(scope="module")
def repaired(shared: Environment, web: PublishedWeb) -> Iterator[None]:
    """Afterwards every host is on and takes part, whatever the tests did."""
    yield
    for row in shared.lab.status():
        if row.state == "stopped":
            shared.lab.start(row.name)
    until("all hosts take part again", lambda: all_hosts_take_part(shared), timeout=240, pause=0.5)


@pytest.fixture(scope="module")
def outage(web: PublishedWeb, repaired: None) -> Iterator[Outage]:
    lab = web.env.lab
    other = [lab.host(h).address for h in ("h2", "h3")]
    with ExitStack() as clients:
        traffic = clients.enter_context(Traffic(lambda: other, web.host, slots=2, pause=0.05))
        queries = clients.enter_context(Queries(web.env, "h2", web.name))
        lab.stop("h1")
        off = time.monotonic()
        traffic.wait_for(100)
        status = curl(web.rebooted, web.host)[0]
        _watch_boot(web.env, "h4", web.name)
        lab.reboot("h4")
        # The lab returns once ssh answers; units may still be starting.
        yield Outage(traffic, queries, clients, off, time.monotonic(), status)


@pytest.fixture(scope="module")
def ended(outage: Outage) -> Outage:
    """After 60 more requests, no more requests and queries are sent."""
    with outage.clients.pop_all():
        outage.traffic.wait_for(60)
    return outage


@pytest.fixture(scope="module")
def returned(web: PublishedWeb, ended: Outage) -> Recovery:
    """h1 is started again; waits until every host takes part and the published addresses are those of before."""
    web.env.lab.start("h1")
    seen: list[tuple[tuple[str, ...], int]] = []

    def as_before() -> bool:
        try:
            addresses = tuple(web.env.addresses("web", web.namespace))
            roster = json.loads(web.env.get("configmap", "roster", "-n", "rancherctl-system")["data"]["roster"])
        except CommandError:
            return False
        seen.append((addresses, sum(h["alive"] for h in roster["hosts"])))
        return all_hosts_take_part(web.env) and list(addresses) == web.published

    began = time.monotonic()
    until("everything is as before", as_before, timeout=240, pause=0.2)
    return Recovery(seen, time.monotonic() - began)


def test_a_worker_serves_routes_while_the_control_plane_is_off(outage: Outage) -> None:
    assert outage.status == 200


def test_a_worker_rebooted_without_the_api_answers_names_at_both_addresses(
    web: PublishedWeb, outage: Outage, measure: Measure
) -> None:
    until("names on the rebooted host, both addresses", lambda: web.answers("h4") == [web.cluster_ip] * 2)
    measure("rebooted without API, names answer after ssh does", time.monotonic() - outage.up, "s")


def test_a_worker_rebooted_without_the_api_serves_routes(web: PublishedWeb, outage: Outage, measure: Measure) -> None:
    until("routes on the rebooted host", lambda: curl(web.rebooted, web.host)[0] == 200)
    measure("rebooted without API, routes answer after ssh does", time.monotonic() - outage.up, "s")


def test_a_worker_rebooted_without_the_api_serves_https(web: PublishedWeb, outage: Outage, measure: Measure) -> None:
    until("HTTPS on the rebooted host", lambda: tls.serial(443, SECURE, web.rebooted) == SITE.serial)
    measure("rebooted without API, HTTPS answers after ssh does", time.monotonic() - outage.up, "s")
    assert tls.answer(443, SECURE, address=web.rebooted).startswith("web-")


def test_named_answers_at_both_addresses_in_the_boot_without_the_api(
    web: PublishedWeb, outage: Outage, measure: Measure
) -> None:
    named = until("first answers were recorded", lambda: _first_answers(web.env, "h4"))
    measure("rebooted without API, named's start to answers at both addresses", named, "s")


def test_pods_of_a_worker_rebooted_without_the_api_get_answers_to_names(web: PublishedWeb, outage: Outage) -> None:
    assert _from_a_pod_network(web.env, "h4", web.name) == [web.cluster_ip] * 2


def test_routes_restored_without_the_api_lead_to_pod_networks_only(web: PublishedWeb, outage: Outage) -> None:
    for route in web.env.ssh("h4", "ip -4 route show proto 173").splitlines():
        assert "10.42." in route


def test_no_request_and_no_query_to_other_workers_fails_during_the_outage(ended: Outage) -> None:
    assert not failed(ended.traffic.samples()), failed(ended.traffic.samples())[:5]
    assert len(ended.queries.samples(since=ended.off)) > 100
    assert not failed(ended.queries.samples()), failed(ended.queries.samples())[:5]


def test_the_return_of_the_control_plane_empties_neither_statuses_nor_the_roster(
    returned: Recovery, measure: Measure
) -> None:
    measure("control plane back, everything as before", returned.seconds, "s")
    assert min(len(addresses) for addresses, _ in returned.seen) >= 3, returned.seen
    assert min(alive for _, alive in returned.seen) >= 3, returned.seen


def test_workloads_routes_and_names_of_pods_converge_after_the_return(web: PublishedWeb, returned: Recovery) -> None:
    w.ready(web.env, web.namespace, "deployment", "web")
    w.ready(web.env, web.namespace, "pod", "onlooker")
    until("all addresses serve", lambda: [curl(a, web.host)[0] for a in web.published] == [200] * 4)
    inside = ("exec", "-n", web.namespace, "onlooker", "--", "/testweb", "resolve", web.name)
    assert until("names from a pod", lambda: web.env.kubectl(*inside).split()) == [web.cluster_ip]


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

"""kill -9 of each of our processes on a host: back by itself, and who notices."""

import time
from collections.abc import Callable

import pytest

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, until
from tests.lab.traffic import Queries, Traffic, failed, outage


def main_pid(env: Environment, host: str, unit: str) -> int:
    """The unit's main process; 0 while it has none."""
    return int(env.ssh(host, f"systemctl show -p MainPID --value {unit}").strip() or 0)


def kill(env: Environment, host: str, unit: str) -> tuple[float, int]:
    """kill -9 of a unit's main process and all its others; (moment, the pid it had)."""
    pid = main_pid(env, host, unit)
    assert pid, f"{unit} runs on {host}"
    at = time.monotonic()
    env.ssh(host, f"systemctl kill -s KILL --kill-whom=all {unit}")
    return at, pid


def back(env: Environment, host: str, unit: str, old: int) -> None:
    """Wait until systemd has a new main process and calls the unit active."""
    state: Callable[[], str] = lambda: env.ssh(host, f"systemctl is-active {unit} || true").strip()
    until(f"{unit} is back on {host}", lambda: main_pid(env, host, unit) not in (0, old) and state() == "active", timeout=30)


@pytest.fixture(scope="module")
def served(shared: Environment, space: str) -> tuple[str, str]:
    """(address to kill on, other address) of an Ingress on two hosts, and its namespace has the Service `web`."""
    w.web(shared, space, 2)
    shared.apply(w.ingress(space, "web", w.host(space), "web", scale="2"))
    first, second = w.published(shared, space, "web", 2)
    return first, second


@pytest.mark.parametrize("unit", ["rancherctl-agent.service", "rancherctl-controller.service"])
def test_agent_or_controller_killed_is_not_noticed(shared: Environment, space: str, served: tuple[str, str], unit: str) -> None:
    """No request and no query fails while the agent, or the controller, is dead and while it starts again; and it works again afterwards."""
    name = f"web.{space}.svc.cluster.local"
    host = "h1" if "controller" in unit else shared.host_of(served[0])
    until("the name answers", lambda: shared.ssh(host, f"dig +short +time=1 @10.43.0.10 {name}").strip(), timeout=15)
    with Traffic(lambda: served, w.host(space)) as traffic, Queries(shared, host, name) as queries:
        traffic.wait_for(20)
        at, old = kill(shared, host, unit)
        back(shared, host, unit, old)
        traffic.wait_for(60)
    assert not failed(traffic.samples()), failed(traffic.samples())[:5]
    assert len(queries.samples(since=at)) > 20
    assert not failed(queries.samples()), failed(queries.samples())[:5]
    # The new process does its work: a new route is placed, served and published.
    later = unit.removesuffix(".service")
    shared.apply(w.ingress(space, later, f"{later}.{w.host(space)}", "web", scale="4"))
    w.published(shared, space, later, 4)
    shared.kubectl("delete", "ingress", later, "-n", space)


def test_haproxy_killed_harms_its_host_only(shared: Environment, space: str, served: tuple[str, str], measure: Measure) -> None:
    """HAProxy of one host dead, master and worker: the other address does not notice, this one is back within about a second."""
    victim, other = served
    host = shared.host_of(victim)
    with Traffic(lambda: served, w.host(space), slots=2, pause=0.01) as traffic:
        traffic.wait_for(20, to=victim)
        at, old = kill(shared, host, "rancherctl-ingress.service")
        back(shared, host, "rancherctl-ingress.service", old)
        traffic.wait_for(60, to=victim)
    lost = outage(traffic.samples(victim, since=at - 1))
    measure("HAProxy killed, outage of its host", lost, "s")
    assert not failed(traffic.samples(other)), failed(traffic.samples(other))[:5]
    assert lost <= 3.0
    later = traffic.samples(victim)[-30:]
    assert not failed(later), later


def test_named_killed_comes_back_with_all_names(shared: Environment, space: str, served: tuple[str, str], measure: Measure) -> None:
    """named of one host dead: back within about a second with the names it had; other hosts do not notice."""
    name = f"web.{space}.svc.cluster.local"
    for host in ("h2", "h3"):
        until("the name answers", lambda h=host: shared.ssh(h, f"dig +short +time=1 @10.43.0.10 {name}").strip(), timeout=15)
    with Queries(shared, "h2", name, pause=0.02) as here, Queries(shared, "h3", name) as there:
        until("queries run", lambda: len(here.samples()) > 10 and len(there.samples()) > 10, timeout=10)
        at, old = kill(shared, "h2", "rancherctl-dns.service")
        back(shared, "h2", "rancherctl-dns.service", old)
        # Refusals and SERVFAIL come fast: what counts is that answers come without a break again.
        until("answers again", lambda: (s := here.samples(since=at)[-50:]) and len(s) == 50 and not failed(s) and failed(here.samples()), timeout=20)
    lost = outage(here.samples(since=at - 1))
    measure("named killed, outage of its host", lost, "s")
    assert not failed(there.samples()), failed(there.samples())[:5]
    assert lost <= 4.0
    assert {s.answer for s in here.samples() if not s.error} == {w.cluster_ip(shared, space, "web")}

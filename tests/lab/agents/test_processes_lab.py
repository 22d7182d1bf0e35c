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


def restarts(env: Environment, host: str, unit: str) -> int:
    """How often systemd itself has started the unit again after a failure; any start by hand sets it to 0."""
    return int(env.ssh(host, f"systemctl show -p NRestarts --value {unit}"))


def kill_and_wait(env: Environment, host: str, unit: str) -> float:
    """kill -9 of a unit's main process and all its others, until it runs again; the moment of the kill.

    It is systemd that brings it back, at once: neither the agent's next round nor anybody else.
    """
    pid, before = main_pid(env, host, unit), restarts(env, host, unit)
    assert pid, f"{unit} runs on {host}"
    at = time.monotonic()
    env.ssh(host, f"systemctl kill -s KILL --kill-whom=all {unit}")
    state: Callable[[], str] = lambda: env.ssh(host, f"systemctl is-active {unit} || true").strip()
    until(f"{unit} is back on {host}", lambda: main_pid(env, host, unit) not in (0, pid) and state() == "active")
    assert restarts(env, host, unit) == before + 1
    return at


@pytest.fixture(scope="module")
def served(shared: Environment, space: str) -> tuple[str, str]:
    """(address to kill on, other address) of an Ingress on two hosts, and its namespace has the Service `web`."""
    w.web(shared, space, 2)
    shared.apply(w.ingress(space, "web", w.host(space), "web", scale="2"))
    first, second = w.published(shared, space, "web", 2)
    return first, second


@pytest.mark.parametrize("unit", ["rancherctl-agent.service", "rancherctl-controller.service"])
def test_agent_or_controller_killed_is_not_noticed(
    shared: Environment, space: str, served: tuple[str, str], unit: str
) -> None:
    """No request and no query fails while the agent, or the controller, is dead and while it starts again; and it works again afterwards."""
    name = f"web.{space}.svc.cluster.local"
    host = "h1" if "controller" in unit else shared.host_of(served[0])
    until("the name answers", lambda: shared.ssh(host, f"dig +short +time=1 @10.43.0.10 {name}").strip())
    with Traffic(lambda: served, w.host(space)) as traffic, Queries(shared, host, name) as queries:
        traffic.wait_for(20)
        at = kill_and_wait(shared, host, unit)
        traffic.wait_for(60)
    assert not failed(traffic.samples()), failed(traffic.samples())[:5]
    assert len(queries.samples(since=at)) > 20
    assert not failed(queries.samples()), failed(queries.samples())[:5]
    # The new process does its work: a new route is placed, served and published.
    later = unit.removesuffix(".service")
    shared.apply(w.ingress(space, later, f"{later}.{w.host(space)}", "web", scale="4"))
    w.published(shared, space, later, 4)
    shared.kubectl("delete", "ingress", later, "-n", space)


def test_haproxy_killed_harms_its_host_only(
    shared: Environment, space: str, served: tuple[str, str], measure: Measure
) -> None:
    """HAProxy of one host dead, master and worker: the other address does not notice, this one is back as soon as systemd has started it again."""
    victim, other = served
    host = shared.host_of(victim)
    with Traffic(lambda: served, w.host(space), slots=2, pause=0.01) as traffic:
        traffic.wait_for(20, to=victim)
        at = kill_and_wait(shared, host, "rancherctl-ingress.service")
        # A request that began before is over after this many: what comes then is answered by the new process alone.
        traffic.wait_for(10, to=victim)
        again = time.monotonic()
        traffic.wait_for(60, to=victim)
    lost = outage(traffic.samples(victim, since=at - 1))
    measure("HAProxy killed, outage of its host", lost, "s")
    assert not failed(traffic.samples(other)), failed(traffic.samples(other))[:5]
    later = traffic.samples(victim, since=again)
    assert len(later) >= 60
    assert not failed(later), failed(later)[:5]


def test_named_killed_comes_back_with_all_names(
    shared: Environment, space: str, served: tuple[str, str], measure: Measure
) -> None:
    """named of one host dead: back with the names it had as soon as systemd has started it again; other hosts do not notice."""
    name = f"web.{space}.svc.cluster.local"
    for host in ("h2", "h3"):
        until("the name answers", lambda h=host: shared.ssh(h, f"dig +short +time=1 @10.43.0.10 {name}").strip())
    with Queries(shared, "h2", name, pause=0.02, limit=0.5) as here, Queries(shared, "h3", name) as there:
        until("queries run", lambda: len(here.samples()) > 10 and len(there.samples()) > 10)
        at = kill_and_wait(shared, "h2", "rancherctl-dns.service")
        again = time.monotonic()
        # Refusals and SERVFAIL come fast: what counts is that answers come without a break again.
        until("answers again", lambda: (s := here.samples(since=again)[-50:]) and len(s) == 50 and not failed(s))
    lost = outage(here.samples(since=at - 1))
    measure("named killed, outage of its host", lost, "s")
    assert not failed(there.samples()), failed(there.samples())[:5]
    assert {s.answer for s in here.samples() if not s.error} == {w.cluster_ip(shared, space, "web")}

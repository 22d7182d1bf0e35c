"""kill -9 of each rancherctl process on a host: it restarts by itself, and only its own host is affected."""

import time
from collections.abc import Callable

import pytest

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, until
from tests.lab.traffic import Queries, Traffic, failed, outage


def main_pid(env: Environment, host: str, unit: str) -> int:
    """PID of the unit's main process; 0 while it has none."""
    return int(env.ssh(host, f"systemctl show -p MainPID --value {unit}").strip() or 0)


def restarts(env: Environment, host: str, unit: str) -> int:
    """How often systemd restarted the unit after a failure; a manual start resets it to 0."""
    return int(env.ssh(host, f"systemctl show -p NRestarts --value {unit}"))


def kill_and_wait(env: Environment, host: str, unit: str) -> float:
    """Kill all processes of a unit and wait until it runs again; returns when they were killed.

    systemd restarts it at once, not the agent's next reconcile.
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
def test_requests_and_queries_do_not_fail_when_agent_or_controller_is_killed(
    shared: Environment, space: str, served: tuple[str, str], unit: str
) -> None:
    """Neither while the process is dead nor while it restarts; afterwards it does its work again."""
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


def test_a_killed_haproxy_affects_only_its_host_and_restarts(
    shared: Environment, space: str, served: tuple[str, str], measure: Measure
) -> None:
    """Master and worker are killed: the other address is not affected, this one serves after the restart."""
    victim, other = served
    host = shared.host_of(victim)
    with Traffic(lambda: served, w.host(space), slots=2, pause=0.01) as traffic:
        traffic.wait_for(20, to=victim)
        at = kill_and_wait(shared, host, "rancherctl-ingress.service")
        # After these, no request is in progress that began before: the new process answers the next ones.
        traffic.wait_for(10, to=victim)
        again = time.monotonic()
        traffic.wait_for(60, to=victim)
    lost = outage(traffic.samples(victim, since=at - 1))
    measure("HAProxy killed, outage of its host", lost, "s")
    assert not failed(traffic.samples(other)), failed(traffic.samples(other))[:5]
    later = traffic.samples(victim, since=again)
    assert len(later) >= 60
    assert not failed(later), failed(later)[:5]


def test_a_killed_named_restarts_with_all_names(
    shared: Environment, space: str, served: tuple[str, str], measure: Measure
) -> None:
    """It answers all names after the restart; other hosts are not affected."""
    name = f"web.{space}.svc.cluster.local"
    for host in ("h2", "h3"):
        until("the name answers", lambda h=host: shared.ssh(h, f"dig +short +time=1 @10.43.0.10 {name}").strip())
    with Queries(shared, "h2", name, pause=0.02, limit=0.5) as here, Queries(shared, "h3", name) as there:
        until("queries run", lambda: len(here.samples()) > 10 and len(there.samples()) > 10)
        at = kill_and_wait(shared, "h2", "rancherctl-dns.service")
        again = time.monotonic()
        # Refusals and SERVFAIL come fast, so require an unbroken series of answers.
        until("it answers again", lambda: (s := here.samples(since=again)[-50:]) and len(s) == 50 and not failed(s))
    lost = outage(here.samples(since=at - 1))
    measure("named killed, outage of its host", lost, "s")
    assert not failed(there.samples()), failed(there.samples())[:5]
    assert {s.answer for s in here.samples() if not s.error} == {w.cluster_ip(shared, space, "web")}

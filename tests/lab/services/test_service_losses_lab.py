"""What Services of type LoadBalancer do when a host loses power, and when the API is away."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.services.lb_services import answers, load_balancer, published, refused
from tests.lab.support import Environment, all_hosts_take_part, until
from tests.lab.traffic import ServiceWatch, Traffic, failed

pytestmark = pytest.mark.slow
LOSSES = 20
REQUESTS = 1000
"""Sent while the API is down: a minute or more, longer than any Lease of a host lasts."""


def test_twenty_hosts_are_lost_one_after_another(shared: Environment, web: str, measure: Measure) -> None:
    """Case 62: the address of the lost host leaves the status, another one comes and answers."""
    control = shared.lab.hosts()[0].address
    w.web(shared, web, 2, name="first", nodeName=shared.lab.hosts()[0].name)
    shared.apply(load_balancer(web, "lost", 8401, scale=2, app="first"))
    gone_after, replaced_after = [], []
    with ServiceWatch(shared, web, "lost") as watch:
        for _ in range(LOSSES):
            before = set(published(shared, web, "lost", 2))
            victim = max(before - {control})
            host, began = shared.host_of(victim), time.monotonic()
            shared.lab.stop(host)
            try:
                gone = watch.wait(lambda s, v=victim: v not in s.addresses, since=began)
                replaced = watch.wait(lambda s, v=victim: v not in s.addresses and len(s.addresses) == 2, since=began)
                for address in replaced.addresses:
                    assert "first-" in until("an answer", lambda a=address: answers(a, 8401), pause=0.02)
            finally:
                shared.lab.start(host)
            gone_after.append(gone.at - began)
            replaced_after.append(replaced.at - began)
            until("all hosts take part", lambda: all_hosts_take_part(shared), timeout=240, pause=0.5)
        assert all(seen.addresses for seen in watch.history[1:]), "there was an address at any time"
    for what, taken in (("address out", gone_after), ("replaced", replaced_after)):
        measure(f"host lost, {what}, p50 of {LOSSES}", statistics.median(taken), "s")
        measure(f"host lost, {what}, slowest of {LOSSES}", max(taken), "s")
    shared.kubectl("delete", "service", "lost", "-n", web)


def test_services_and_ingresses_answer_while_the_api_is_down_and_after_a_restart_only_ingresses(
    shared: Environment, web: str, measure: Measure
) -> None:
    """Case 80: a host that restarts meanwhile serves its Ingresses; its Services wait, and the manual says so."""
    host = w.host(web)
    shared.apply(w.ingress(web, "away", host, "web", scale="4"), load_balancer(web, "away", 8402, scale=4))
    ingress = w.published(shared, web, "away", 4)
    service = published(shared, web, "away", 4)
    for address in service:
        until("an answer", lambda a=address: answers(a, 8402), pause=0.05)
    control = shared.lab.hosts()[0]
    restarted = next(h for h in shared.lab.hosts()[1:] if h.name not in _hosts_of_pods(shared, web))
    shared.ssh(control.name, "systemctl stop rancherctl-kube-apiserver")
    try:
        with (
            Traffic(lambda: ingress, host, slots=4) as to_ingress,
            Traffic(lambda: service, "x", port=8402) as to_service,
        ):
            to_ingress.wait_for(REQUESTS)
        assert not failed([*to_ingress.samples(), *to_service.samples()])
        measure("API down, requests without a failure", len(to_ingress.samples()) + len(to_service.samples()), "")
        shared.lab.reboot(restarted.name)
        with Traffic(lambda: [restarted.address], host) as back:
            until("its Ingress", lambda: [s for s in back.samples() if not s.error])
        assert refused(restarted.address, 8402)
        failing = shared.rancherctl("service", "status", "away", "-n", web)
        assert failing.returncode != 0
        said = " ".join(shared.ok("service", "status", "--help").split())
        assert "After a restart of a host while the API is down, its Services wait for the API" in said
    finally:
        shared.ssh(control.name, "systemctl start rancherctl-kube-apiserver")
    until("its Service", lambda: answers(restarted.address, 8402))
    until("all hosts take part", lambda: all_hosts_take_part(shared), timeout=240, pause=0.5)
    shared.kubectl("delete", "service/away", "ingress/away", "-n", web)


def test_a_distributions_upgrade_of_haproxy_loses_no_request(shared: Environment, web: str, measure: Measure) -> None:
    """Case 84: as dpkg does, the file is replaced; the new program runs, and no request fails."""
    host = w.host(web)
    shared.apply(w.ingress(web, "upgraded", host, "web"), load_balancer(web, "upgraded", 8403))
    ingress, service = w.published(shared, web, "upgraded", 1), published(shared, web, "upgraded", 1)
    name = shared.host_of(ingress[0])
    pid = "systemctl show -P MainPID rancherctl-ingress"
    program = f"stat -L -c %i /proc/$({pid})/exe; stat -L -c %i /usr/sbin/haproxy"
    before = shared.ssh(name, pid)
    with Traffic(lambda: ingress, host) as to_ingress, Traffic(lambda: service, "x", port=8403) as to_service:
        to_ingress.wait_for(50)
        # The package as it is installed, unpacked again over itself as dpkg does: a new file under the same name.
        shared.ssh(
            name,
            "cp -a /usr/sbin/haproxy /usr/sbin/haproxy.dpkg-new && mv /usr/sbin/haproxy.dpkg-new /usr/sbin/haproxy",
        )
        until("the new program", lambda: len(set(shared.ssh(name, program).split())) == 1)
        to_ingress.wait_for(100)
        to_service.wait_for(20)
    assert shared.ssh(name, pid) == before, "the unit did not restart"
    assert not failed([*to_ingress.samples(), *to_service.samples()])
    measure("HAProxy upgraded, requests without a failure", len(to_ingress.samples()), "requests")
    shared.kubectl("delete", "service/upgraded", "ingress/upgraded", "-n", web)


def _hosts_of_pods(env: Environment, namespace: str) -> set[str]:
    return {pod["spec"]["nodeName"] for pod in w.pods(env, namespace, "web").values()}

"""Services of type LoadBalancer on real hosts: addresses, data path, ports, withdrawal."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.services.lb_services import (
    Kept,
    addresses,
    answers,
    ask,
    condition,
    echo,
    load_balancer,
    published,
    refused,
)
from tests.lab.support import Environment, until
from tests.lab.traffic import IngressWatch, ServiceWatch, Traffic, failed


def test_a_service_has_the_addresses_of_two_hosts_and_answers_everywhere(
    shared: Environment, web: str, measure: Measure
) -> None:
    """Case 59: from outside, from a pod and from a node; the port is not opened on hosts that are not published."""
    shared.apply(load_balancer(web, "two", 8101, scale=2))
    began = time.monotonic()
    found = published(shared, web, "two", 2)
    for address in found:
        until("an answer", lambda address=address: answers(address, 8101), pause=0.02)
    measure("Service → reachable on two addresses", (time.monotonic() - began) * 1000, "ms")
    others = [h.address for h in shared.lab.hosts() if h.address not in found]
    node = shared.host_of(others[0])
    for address in found:
        assert "web-" in shared.ssh(node, f"curl -sS --max-time 5 http://{address}:8101/")
        pod = next(iter(w.pods(shared, web, "web")))
        got = shared.kubectl(
            "exec", pod, "-n", web, "--", "/testweb", "get", "-timeout", "5s", f"http://{address}:8101/"
        )
        assert "web-" in got
    with pytest.raises((OSError, AssertionError)):
        answers(others[0], 8101)
    until("the condition", lambda: condition(shared, web, "two").get("reason") == "Published")
    assert condition(shared, web, "two")["status"] == "True"
    shared.kubectl("annotate", "service", "two", "-n", web, "scale=3", "--overwrite")
    three = published(shared, web, "two", 3)
    assert set(found) < set(three)
    shared.kubectl("annotate", "service", "two", "-n", web, "scale=1", "--overwrite")
    (one,) = published(shared, web, "two", 1)
    assert one in three
    shared.kubectl("patch", "service", "two", "-n", web, "-p", '{"spec":{"type":"ClusterIP","loadBalancerClass":null}}')
    until("no address", lambda: not addresses(shared, web, "two"))
    until("no answer", lambda: refused(one, 8101))


@pytest.mark.parametrize("port", [22, 6443, 10250, 2379, 7443, 31000])
def test_reserved_ports_are_refused_at_once(shared: Environment, web: str, port: int) -> None:
    """Case 65."""
    with pytest.raises(AssertionError, match="these ports are used by the hosts themselves"):
        shared.apply(load_balancer(web, "bad", port))


def test_udp_is_answered_from_the_address_that_was_asked(shared: Environment, web: str) -> None:
    host = shared.lab.hosts()[-1]
    with echo(shared, host.name, 9053):
        body = load_balancer(web, "udp", 5353, scale=2)
        del body["spec"]["selector"]
        body["spec"]["ports"] = [{"name": "echo", "protocol": "UDP", "port": 5353, "targetPort": 9053}]
        part = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "udp-1", "namespace": web, "labels": {"kubernetes.io/service-name": "udp"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [host.address], "nodeName": host.name, "conditions": {"ready": True}}],
            "ports": [{"name": "echo", "protocol": "UDP", "port": 9053}],
        }
        shared.apply(body, part)
        for address in published(shared, web, "udp", 2):
            assert until("an answer", lambda address=address: ask(address, 5353), pause=0.05).startswith("hello from ")
        shared.kubectl("delete", "service", "udp", "-n", web)


def test_a_pod_with_a_host_port_moves_an_ingress_and_a_service(shared: Environment, web: str) -> None:
    """Case 67: no program listens there, the kernel takes the traffic before HAProxy or kube-proxy see it."""
    shared.apply(w.ingress(web, "moved", w.host(web), "web"), load_balancer(web, "db", 8102))
    (before,) = w.published(shared, web, "moved", 1)
    (service,) = published(shared, web, "db", 1)
    on_ingress, on_service = shared.host_of(before), shared.host_of(service)
    for name, host, port in (("p80", on_ingress, 80), ("p8102", on_service, 8102)):
        pod = w.pod(web, name, host)
        pod["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": w.PORT, "hostPort": port}]
        shared.apply(pod)
    until("the Ingress moved", lambda: before not in shared.addresses("moved", web) and shared.addresses("moved", web))
    named = f"not placed on {on_ingress}: port 80 is used by hostPort of pod {web}/p80"
    until("the pod is named", lambda: named in shared.ok("ingress", "show", "moved", "-n", web))
    until("the Service moved", lambda: service not in addresses(shared, web, "db") and addresses(shared, web, "db"))
    shared.kubectl("delete", "pod", "p80", "p8102", "-n", web, "--wait=false")
    shared.kubectl("delete", "service/db", "ingress/moved", "-n", web)


def test_a_host_whose_kube_proxy_is_down_is_withdrawn_and_takes_nothing_new(shared: Environment, web: str) -> None:
    """Case 71."""
    shared.apply(load_balancer(web, "proxy", 8103))
    (before,) = published(shared, web, "proxy", 1)
    host = shared.host_of(before)
    began = time.monotonic()
    shared.ssh(host, "systemctl stop rancherctl-kube-proxy")
    try:
        until("another address", lambda: addresses(shared, web, "proxy") not in ([], [before]))
        assert time.monotonic() - began < 60
        shared.apply(load_balancer(web, "all", 8104, scale=4))
        until("three addresses", lambda: len(addresses(shared, web, "all")) == 3)
        assert before not in addresses(shared, web, "all")
        until("the reason", lambda: "kube-proxy" in condition(shared, web, "all").get("message", ""))
    finally:
        shared.ssh(host, "systemctl start rancherctl-kube-proxy")
    published(shared, web, "all", 4)
    shared.kubectl("delete", "service", "proxy", "all", "-n", web)


def test_a_host_is_drained_under_load_and_put_back(shared: Environment, web: str) -> None:
    """Case 81: no request fails, neither of clients that follow the status nor of those with older DNS answers."""
    host = w.host(web)
    shared.apply(w.ingress(web, "drained", host, "web"), load_balancer(web, "drained", 8105))
    (ingress,) = w.published(shared, web, "drained", 1)
    published(shared, web, "drained", 1)
    name = shared.host_of(ingress)
    with IngressWatch(shared, web, "drained") as watch:

        def late() -> list[str]:
            """The old address, until three seconds after it left the status."""
            left = [seen.at for seen in watch.history if seen.addresses and ingress not in seen.addresses]
            return [ingress] if not left or time.monotonic() < left[0] + 3 else []

        with Traffic(watch.current, host) as current, Traffic(late, host) as old:
            shared.ok("env", "host-drain", name, "--dns", "6s", "--limit", "2m")
        assert ingress not in watch.current()
        assert all(seen.addresses for seen in watch.history), watch.history
    assert not failed([*current.samples(), *old.samples()])
    assert len(old.samples()) > 10
    assert all(shared.host_of(a) != name for a in addresses(shared, web, "drained"))
    until("nothing listens", lambda: refused(ingress, 80))
    assert f"being drained (`rancherctl env host-undrain {name}`" in shared.ok("ingress", "plan", "drained", "-n", web)
    shared.ok("env", "host-undrain", name)
    shared.ok("ingress", "scale", "drained", "4", "-n", web, "--wait")
    shared.kubectl("delete", "service/drained", "ingress/drained", "-n", web)


def test_no_request_fails_while_a_service_is_scaled(shared: Environment, web: str, measure: Measure) -> None:
    """Case 61: from two hosts to three to one; clients use what the status has, established connections go on."""
    shared.apply(load_balancer(web, "scaled", 8107, scale=2))
    held: dict[str, Kept] = {}
    with ExitStack() as stack:
        watch = stack.enter_context(ServiceWatch(shared, web, "scaled"))
        traffic = stack.enter_context(Traffic(watch.current, "x", port=8107))
        for scale in (2, 3, 1):
            shared.kubectl("annotate", "service", "scaled", "-n", web, f"scale={scale}", "--overwrite")
            seen = watch.wait(lambda s, scale=scale: len(s.addresses) == scale)
            traffic.wait_for(60)
            held |= {a: stack.enter_context(Kept(a, 8107)) for a in seen.addresses if a not in held}
        assert all(kept.answers() for kept in held.values())
        assert len(held) == 3
    assert all(seen.addresses for seen in watch.history if seen.at > traffic.samples()[0].at)
    assert not failed(traffic.samples()), failed(traffic.samples())[:5]
    measure("Service scaled, requests without a failure", len(traffic.samples()), "requests")
    shared.kubectl("delete", "service", "scaled", "-n", web)


def test_clients_of_a_service_fail_no_request_while_its_host_is_drained(shared: Environment, web: str) -> None:
    """Case 81 for Services: neither those that follow the status, nor those with older DNS answers.

    The next host serves before its address is in the status. kube-proxy drops an address with the status, the host's
    own rules serve it for longer.
    """
    shared.apply(load_balancer(web, "moving", 8106))
    (before,) = published(shared, web, "moving", 1)
    name = shared.host_of(before)
    with ServiceWatch(shared, web, "moving") as watch:

        def late() -> list[str]:
            """The old address, until five seconds after it left the status."""
            left = [seen.at for seen in watch.history if seen.addresses and before not in seen.addresses]
            return [before] if not left or time.monotonic() < left[0] + 5 else []

        with Traffic(late, "x", port=8106) as old, Traffic(watch.current, "x", port=8106, pause=0.005) as current:
            old.wait_for(10)
            shared.ok("env", "host-drain", name, "--dns", "8s", "--limit", "2m")
            left = watch.wait(lambda seen: bool(seen.addresses) and before not in seen.addresses)
            until("nothing answers", lambda: refused(before, 8106))
            assert "rancherctl_lb" not in shared.ssh(name, "nft list tables")
            # Back again: the host takes the place of the one that took its place.
            shared.ok("env", "host-undrain", name)
            (other,) = left.addresses
            shared.ok("env", "host-drain", shared.host_of(other), "--dns", "1s", "--limit", "2m")
            watch.wait(lambda seen: bool(seen.addresses) and other not in seen.addresses, since=left.at)
            current.wait_for(20)
        assert all(seen.addresses for seen in watch.history), watch.history
    assert not failed(old.samples()), failed(old.samples())[:5]
    assert len(old.samples(since=left.at)) > 10
    assert not failed(current.samples()), failed(current.samples())[:5]
    shared.ok("env", "host-undrain", shared.host_of(other))
    shared.kubectl("delete", "service", "moving", "-n", web)


def test_an_agent_that_restarts_during_a_drain_goes_on_to_serve_what_has_left(shared: Environment, web: str) -> None:
    shared.apply(load_balancer(web, "restarted", 8108))
    (before,) = published(shared, web, "restarted", 1)
    name = shared.host_of(before)
    shared.kubectl("annotate", "node", name, "rancherctl.io/drain=3600")
    try:
        until("another address", lambda: addresses(shared, web, "restarted") not in ([], [before]))
        assert "web-" in answers(before, 8108)
        # Longer than an address is served after it has left without a drain.
        with Traffic(lambda: [before], "x", port=8108) as old:
            old.wait_for(20)
            started = "systemctl show -P MainPID rancherctl-agent"
            pid = shared.ssh(name, started)
            shared.ssh(name, "systemctl restart rancherctl-agent")
            assert shared.ssh(name, started) != pid
            report = "get configmap report-{} -n rancherctl-system -o jsonpath={{.metadata.resourceVersion}}"
            version = shared.kubectl(*report.format(name).split())
            until("its report", lambda: shared.kubectl(*report.format(name).split()) != version)
            old.wait_for(100)
        assert not failed(old.samples()), failed(old.samples())[:5]
    finally:
        shared.kubectl("annotate", "node", name, "rancherctl.io/drain-")
    until("nothing answers", lambda: refused(before, 8108))
    shared.kubectl("delete", "service", "restarted", "-n", web)

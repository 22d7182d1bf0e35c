"""Rules for Services of type LoadBalancer on real hosts: ports, client addresses, statuses of others, deletion."""

from __future__ import annotations

import json
import time

import pytest

from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.services.lb_services import (
    addresses,
    answers,
    ask,
    condition,
    echo,
    endpoint,
    load_balancer,
    own_address,
    published,
    refused,
    udp,
)
from tests.lab.support import Environment, until

NAMES = (("a program of ", ""), ("port-5432.service (", ")"))
"""Who has a port, as hosts with cgroups of version 1 and 2 see it."""
FOREIGN = "203.0.113.9"
"""An address of no host (RFC 5737)."""


def message(env: Environment, namespace: str, name: str) -> str:
    return condition(env, namespace, name).get("message", "")


def test_tcp_and_udp_53_on_one_address_and_the_hosts_dns_answers_still(shared: Environment, web: str) -> None:
    """Case 74."""
    target, name = shared.lab.hosts()[-1], "dns"
    pod, found = next(iter(w.pods(shared, web, "web").items()))
    with echo(shared, target.name, 9153):
        body = udp(web, name, 53, 9153, scale=2)
        body["spec"]["ports"].append({"name": "http", "protocol": "TCP", "port": 53, "targetPort": w.PORT})
        shared.apply(
            body,
            endpoint(web, name, {"name": "echo", "protocol": "UDP", "port": 9153}, target.address, target.name),
            endpoint(
                web,
                name,
                {"name": "http", "protocol": "TCP", "port": w.PORT},
                found["status"]["podIP"],
                found["spec"]["nodeName"],
            ),
        )
        for address in published(shared, web, name, 2):
            assert pod in until("an answer over TCP", lambda a=address: answers(a, 53), pause=0.05)
            assert until("an answer over UDP", lambda a=address: ask(a, 53), pause=0.05).startswith("hello from ")
        for host in shared.lab.hosts():
            for tcp in ("", "+tcp "):
                dig = f"dig {tcp}+short +time=5 @169.254.20.10 kubernetes.default.svc.cluster.local"
                assert shared.ssh(host.name, dig).split() == ["10.43.0.1"]
        shared.kubectl("delete", "service", name, "-n", web)


def test_an_ingress_port_and_a_service_port_are_never_on_one_host(shared: Environment, web: str) -> None:
    """Case 68: both at once, then either order."""
    ingress = w.ingress(
        web, "port", f"port.{w.host(web)}", "web", scale="2", annotations={"ingress.rancherctl.io/http.port": "8080"}
    )
    service = load_balancer(web, "port", 8080, scale=2)

    def apart() -> bool:
        on, of = shared.addresses("port", web), addresses(shared, web, "port")
        return len(on) == len(of) == 2 and not set(on) & set(of)

    def scaled(kind: str, number: int) -> None:
        shared.kubectl("annotate", kind, "port", "-n", web, f"scale={number}", "--overwrite")

    shared.apply(ingress, service)
    until("two hosts each", apart)
    scaled("service", 4)
    until("why there are no more", lambda: "Ingresses are served on 8080/TCP" in message(shared, web, "port"))
    assert apart()
    shared.kubectl("delete", "ingress", "port", "-n", web)
    published(shared, web, "port", 4)
    shared.apply(ingress)
    until(
        "why it has no host",
        lambda: (
            f"port 8080 is used by Service {web}/port" in w.status_annotation(shared, web, "port").get("message", "")
        ),
    )
    assert not shared.addresses("port", web)
    scaled("service", 2)
    until("the Ingress has the others", apart)
    for address in addresses(shared, web, "port"):
        assert until("the Service", lambda a=address: answers(a, 8080))
    shared.kubectl("delete", "service/port", "ingress/port", "-n", web)


def test_a_program_on_the_port_moves_the_service_and_is_named(shared: Environment, web: str) -> None:
    """Case 66: the host may be used again when the program has stopped."""
    shared.apply(load_balancer(web, "sql", 5432))
    (before,) = published(shared, web, "sql", 1)
    host = shared.host_of(before)

    def why() -> str:
        hosts = json.loads(shared.ok("service", "show", "sql", "-n", web, "-o", "json"))["hosts"]
        return str(next(h["why"] for h in hosts if h["host"] == host))

    # Another program called haproxy is not the load balancer; it is named by its unit or its user.
    program = (
        "cp $(realpath $(command -v python3)) /usr/local/bin/haproxy && systemd-run --quiet --collect --unit port-5432"
        " -p User=daemon -p WorkingDirectory=/ /usr/local/bin/haproxy -m http.server 5432"
    )
    shared.ssh(host, program)
    try:
        until("another address", lambda: addresses(shared, web, "sql") not in ([], [before]))
        assert why() in {f"5432/TCP is used by {who}user daemon{end}" for who, end in NAMES}
        (after,) = addresses(shared, web, "sql")
        assert "web-" in until("an answer", lambda: answers(after, 5432))
    finally:
        shared.ssh(host, "systemctl stop port-5432; rm /usr/local/bin/haproxy")
    until("the host may be used", lambda: not why())
    shared.kubectl("annotate", "service", "sql", "-n", web, "scale=4", "--overwrite")
    assert before in published(shared, web, "sql", 4)
    shared.kubectl("delete", "service", "sql", "-n", web)


def test_who_may_write_addresses_of_hosts_into_a_status(shared: Environment, web: str) -> None:
    """Cases 72 and 78: addresses of hosts only the controller; other addresses without a class are left alone."""
    rules = [{"apiGroups": [""], "resources": ["services", "services/status"], "verbs": ["get", "patch", "update"]}]
    shared.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "status", "namespace": web},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "status", "namespace": web},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "status"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "tenant"}],
        },
    )
    ours, other = load_balancer(web, "ours", 8201), load_balancer(web, "other", 8202)
    del other["spec"]["loadBalancerClass"]
    shared.apply(ours, other)
    (address,) = published(shared, web, "ours", 1)
    published(shared, web, "other", 1)
    free = next(h.address for h in shared.lab.hosts() if h.address != address)

    def write(name: str, ip: str, *user: str) -> None:
        patch = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": "VIP"}]}}})
        shared.kubectl("patch", "service", name, "-n", web, "--subresource=status", "--type=merge", "-p", patch, *user)

    tenant = ("--as=tenant", "--as-group=system:authenticated")
    for user in (tenant, ()):
        with pytest.raises(AssertionError, match="written by its controller only"):
            write("ours", free, *user)
    write("ours", FOREIGN, *tenant)
    until("ours is put right", lambda: addresses(shared, web, "ours") == [address])
    before = addresses(shared, web, "other")
    write("other", FOREIGN, *tenant)
    # It may be the address of a host that has left: it is replaced once. Another controller writes it again.
    until("it is replaced once", lambda: addresses(shared, web, "other") == before)
    write("other", FOREIGN, *tenant)
    which = "involvedObject.name=other,reason=ForeignAddresses"
    until("the Event", lambda: shared.get("events", "-n", web, "--field-selector", which)["items"])
    assert addresses(shared, web, "other") == [FOREIGN]
    shared.kubectl("delete", "service", "ours", "other", "-n", web)


def test_policy_local_keeps_the_clients_address_and_follows_its_endpoint(
    shared: Environment, web: str, measure: Measure
) -> None:
    """Cases 60 and 63: Cluster masquerades; with Local, only the host of the endpoint is published."""
    first, second = shared.lab.hosts()[-2:]
    mine = own_address(first.address)
    port = {"name": "echo", "protocol": "UDP", "port": 9160}
    with echo(shared, first.name, 9160), echo(shared, second.name, 9160):
        for name, number, policy, scale in (("local", 8211, "Local", 4), ("cluster", 8212, "Cluster", 2)):
            shared.apply(
                udp(web, name, number, 9160, scale=scale, externalTrafficPolicy=policy),
                endpoint(web, name, port, first.address, first.name),
            )
        for address in published(shared, web, "cluster", 2):
            said = until("an answer", lambda a=address: ask(a, 8212), pause=0.05)
            # What ends on the host that was asked is not forwarded, so nothing masquerades it.
            assert said == f"hello from {mine if address == first.address else address}"
        assert published(shared, web, "local", 1) == [first.address]
        assert until("an answer", lambda: ask(first.address, 8211), pause=0.05) == f"hello from {mine}"
        assert "has no endpoint of it" in shared.ok("service", "plan", "local", "-n", web)
        began = time.monotonic()
        shared.apply(endpoint(web, "local", port, second.address, second.name))
        until("the address follows", lambda: addresses(shared, web, "local") == [second.address], pause=0.02)
        measure("Local endpoint moved → status", (time.monotonic() - began) * 1000, "ms")
        assert until("an answer", lambda: ask(second.address, 8211), pause=0.05) == f"hello from {mine}"
    shared.kubectl("delete", "service", "local", "cluster", "-n", web)


def test_source_ranges_affinity_no_node_ports_and_deletion(shared: Environment, web: str) -> None:
    """Cases 64, 75, 76 and 79 with one Service."""
    mine = own_address(shared.lab.hosts()[0].address)
    shared.apply(
        load_balancer(
            web,
            "strict",
            8221,
            scale=2,
            allocateLoadBalancerNodePorts=False,
            sessionAffinity="ClientIP",
            loadBalancerSourceRanges=[f"{mine}/32"],
        )
    )
    found = published(shared, web, "strict", 2)
    for address in found:
        until("an answer", lambda a=address: answers(a, 8221), pause=0.05)
        # The first answers may come from rules older than the last endpoint: kube-proxy learns of both apart.
        until(
            "one pod answers all", lambda a=address: len({json.loads(answers(a, 8221))["pod"] for _ in range(20)}) == 1
        )
    assert all("nodePort" not in p for p in shared.get("service", "strict", "-n", web)["spec"]["ports"])
    shared.kubectl(
        "patch", "service", "strict", "-n", web, "-p", '{"spec":{"loadBalancerSourceRanges":["203.0.113.0/24"]}}'
    )
    for address in found:
        until("dropped", lambda a=address: refused(a, 8221))
    shown = shared.ok("service", "show", "strict", "-n", web)
    assert "203.0.113.0/24" in shown
    assert "loadBalancerSourceRanges may not allow this machine" in shared.ok("service", "status", "strict", "-n", web)
    shared.kubectl("delete", "service", "strict", "-n", web)
    for address in found:
        until("refused", lambda a=address: refused(a, 8221))
    # kube-proxy deletes chains to which nothing leads with a later update.
    rules = "for map in service-ips firewall-ips; do nft list map ip kube-proxy $map; done"
    for host in shared.lab.hosts():
        until("no rule is left", lambda h=host.name: "tcp . 8221" not in shared.ssh(h, rules))
        assert "rancherctl_lb" not in shared.ssh(host.name, "nft list tables")


def test_of_three_services_with_one_port_the_youngest_gets_no_host(shared: Environment, web: str) -> None:
    """Case 73: two hosts for each of the others; its message names both."""
    for name in ("one", "two"):
        shared.apply(load_balancer(web, f"port-{name}", 8231, scale=2))
        published(shared, web, f"port-{name}", 2)
    taken = {a for name in ("one", "two") for a in addresses(shared, web, f"port-{name}")}
    assert len(taken) == 4
    shared.apply(load_balancer(web, "port-three", 8231))
    until(
        "both names",
        lambda: all(
            f"Service {web}/port-{n} has 8231/TCP" in message(shared, web, "port-three") for n in ("one", "two")
        ),
    )
    assert not addresses(shared, web, "port-three")
    shared.kubectl("delete", "service", "port-one", "-n", web)
    published(shared, web, "port-three", 1)
    shared.kubectl("delete", "service", "port-two", "port-three", "-n", web)

"""Ports of Services of type LoadBalancer that the hosts themselves use, too."""

from __future__ import annotations

from tests.lab import workloads as w
from tests.lab.services.lb_services import answers, ask, echo, load_balancer, published
from tests.lab.support import Environment, until


def endpoint(namespace: str, service: str, port: w.Json, address: str, host: str) -> w.Json:
    """An EndpointSlice of one Service without a selector: one port at one address."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-{port['name']}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "nodeName": host, "conditions": {"ready": True}}],
        "ports": [port],
    }


def udp(namespace: str, name: str, port: int, to: int, **spec: object) -> w.Json:
    """A Service without a selector."""
    body = load_balancer(namespace, name, port, **spec)
    del body["spec"]["selector"]
    body["spec"]["ports"] = [{"name": "echo", "protocol": "UDP", "port": port, "targetPort": to}]
    return body


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

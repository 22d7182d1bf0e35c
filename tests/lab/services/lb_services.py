"""Objects and questions of the lab tests about Services of type LoadBalancer."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from tests.lab import workloads as w
from tests.lab.support import Environment, curl, until

CLASS = "rancherctl.io/lb"
CONDITION = "rancherctl.io/LoadBalancer"
ECHO = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", int(sys.argv[1])))
while True:
    data, peer = s.recvfrom(2048)
    s.sendto(data + b" from " + peer[0].encode(), peer)
"""


def load_balancer(namespace: str, name: str, port: int, *, scale: int = 1, app: str = "web", **spec: Any) -> w.Json:
    body = w.service(namespace, name, app, port=port)
    body["metadata"]["annotations"] = {"scale": str(scale)}
    body["spec"] |= {"type": "LoadBalancer", "loadBalancerClass": CLASS, **spec}
    return body


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


def udp(namespace: str, name: str, port: int, to: int, **spec: Any) -> w.Json:
    """A Service without a selector."""
    body = load_balancer(namespace, name, port, **spec)
    del body["spec"]["selector"]
    body["spec"]["ports"] = [{"name": "echo", "protocol": "UDP", "port": port, "targetPort": to}]
    return body


def addresses(env: Environment, namespace: str, name: str) -> list[str]:
    found = env.get("service", name, "-n", namespace)["status"]["loadBalancer"].get("ingress", [])
    assert all(entry["ipMode"] == "VIP" for entry in found)
    return [entry["ip"] for entry in found]


def published(env: Environment, namespace: str, name: str, count: int) -> list[str]:
    found: list[str] = until(
        f"{count} addresses of {namespace}/{name}",
        lambda: len(a := addresses(env, namespace, name)) == count and (a or True),
        pause=0.1,
    )
    return found if isinstance(found, list) else []


def condition(env: Environment, namespace: str, name: str) -> dict[str, str]:
    conditions = env.get("service", name, "-n", namespace)["status"].get("conditions", [])
    return next((c for c in conditions if c["type"] == CONDITION), {})


def answers(address: str, port: int) -> str:
    status, body = curl(address, "x", port=port, timeout=5)
    assert status == 200
    return body


def refused(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), 1):
            return False
    except OSError:
        return True


def published_and_drained(env: Environment) -> None:
    """A Service of pod ``web-h1`` on h1 and h2, of which h2 is drained: it has an nft table and a file for that."""
    env.apply(load_balancer("default", "balanced", 8601, scale=2, app="web-h1"))
    published(env, "default", "balanced", 2)
    env.kubectl("annotate", "node", "h2", "rancherctl.io/drain=3600")
    published(env, "default", "balanced", 1)
    assert "rancherctl_lb" in env.ssh("h2", "nft list tables")
    assert env.ssh("h2", "ls /run/rancherctl/services.json")


class Kept:
    """A connection that stays open between requests."""

    def __init__(self, address: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(address, port, timeout=20)

    def __enter__(self) -> Self:
        self._connection.connect()
        self._connection.auto_open = 0  # a request never opens another one
        assert self.answers()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def answers(self) -> bool:
        """Send one more request."""
        self._connection.request("GET", "/", headers={"Host": "x"})
        response = self._connection.getresponse()
        return b"web-" in response.read() and response.status == 200


@contextmanager
def echo(env: Environment, host: str, port: int) -> Iterator[None]:
    """A UDP server on a host; it answers with what came and from where."""
    unit = f"echo-{port}"
    env.ssh(host, f"systemd-run --quiet --collect --unit {unit} python3 -c '{ECHO}' {port}")
    try:
        yield
    finally:
        env.ssh(host, f"systemctl stop {unit}")


def ask(address: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.connect((address, port))
        client.send(b"hello")
        return client.recv(2048).decode()


def own_address(to: str) -> str:
    """This machine's address when it talks to a host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((to, 9))
        return str(client.getsockname()[0])

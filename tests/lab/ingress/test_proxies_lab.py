"""Networks of proxies in the environment file, on hosts."""

from __future__ import annotations

import http.client
import json
from typing import Any

import yaml

from tests.lab import workloads as w
from tests.lab.support import Environment, until


def forwarded(address: str, host: str) -> tuple[str, list[str]]:
    """This machine's address as the host sees it, and X-Forwarded-For as it reached the pod."""
    connection = http.client.HTTPConnection(address, 80, timeout=15)
    try:
        connection.request("GET", "/", headers={"Host": host, "X-Forwarded-For": "203.0.113.7"})
        own = connection.sock.getsockname()[0]
        seen: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return own, seen["headers"]["X-Forwarded-For"]


def worker(env: Environment, host: str) -> int:
    """The process of the host's HAProxy, by its report."""
    report = env.get("configmap", f"report-{host}", "-n", "rancherctl-system")["data"]["report"]
    return int(json.loads(report)["sections"]["lb"]["haproxy"]["pid"])


def test_trusted_proxies_of_the_environment_file_reach_haproxy_by_at_most_one_reload(
    shared: Environment, namespace: str
) -> None:
    w.web(shared, namespace, 1)
    shared.apply(w.ingress(namespace, "web", w.host(namespace), "web", scale="2"))
    addresses = w.published(shared, namespace, "web", 2)
    hosts = [h.name for h in shared.lab.hosts() if h.address in addresses]
    own, seen = forwarded(addresses[0], w.host(namespace))
    assert seen == [own]
    text = shared.file.read_text(encoding="utf-8")
    body = yaml.safe_load(text)
    body["spec"]["ingress"] = {"trustedProxies": [own]}
    shared.file.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    try:
        planned = shared.ok("env", "plan", "-f", str(shared.file))
        assert "rancherctl-agent.service" in planned
        assert "rancherctl-ingress.service" not in planned
        shared.ok("env", "apply", "-f", str(shared.file))
        for address in addresses:
            until(
                f"{address} keeps the header",
                lambda a=address: forwarded(a, w.host(namespace))[1] == [f"203.0.113.7, {own}"],
            )
        with_one = {host: worker(shared, host) for host in hosts}
        body["spec"]["ingress"] = {"trustedProxies": [own, "192.0.2.7"]}
        shared.file.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
        shared.ok("env", "apply", "-f", str(shared.file))
        assert {host: worker(shared, host) for host in hosts} == with_one, "only the first one needs rules"
    finally:
        shared.file.write_text(text, encoding="utf-8")
        shared.ok("env", "apply", "-f", str(shared.file))
    until("the header is replaced again", lambda: forwarded(addresses[0], w.host(namespace))[1] == [own])

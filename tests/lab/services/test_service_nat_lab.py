"""A host whose public address is on none of its interfaces: a router in front of it translates it (1:1 NAT)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from rancherctl.lab.session import Reach
from tests.lab.services.lb_services import addresses, answers, ask, echo, endpoint, load_balancer, own_address, udp
from tests.lab.support import Environment, until

PUBLIC = "203.0.113.70"
NAT = f"""
table ip rancherctl_test_nat {{
  chain out {{ type nat hook output priority -100; ip daddr {PUBLIC} dnat to ADDRESS; }}
}}
"""


@contextmanager
def translated(host: Reach) -> Iterator[None]:
    """This machine is the router: what it sends to the public address arrives at the host's internal one."""
    subprocess.run(["nft", "-f", "-"], input=NAT.replace("ADDRESS", host.address), text=True, check=True, timeout=20)
    try:
        subprocess.run(["ip", "route", "replace", PUBLIC, "via", host.address], check=True, timeout=20)
        yield
    finally:
        subprocess.run(["ip", "route", "del", PUBLIC], check=False, timeout=20)
        subprocess.run(["nft", "delete", "table", "ip", "rancherctl_test_nat"], check=False, timeout=20)


@pytest.fixture
def host(shared: Environment) -> Iterator[Reach]:
    """The last host with a public address."""
    chosen = shared.lab.hosts()[-1]
    body = yaml.safe_load(shared.file.read_text(encoding="utf-8"))
    next(h for h in body["spec"]["hosts"] if h["name"] == chosen.name)["publicAddress"] = PUBLIC
    file = shared.file.with_name("public.yaml")
    file.write_text(yaml.safe_dump(body), encoding="utf-8")
    shared.ok("env", "apply", "-f", str(file))
    try:
        with translated(chosen):
            yield chosen
    finally:
        shared.ok("env", "apply", "-f", str(shared.file))


def test_services_at_a_public_address_behind_nat(shared: Environment, web: str, host: Reach) -> None:
    """Case 70: TCP and UDP, policies Cluster and Local; what another program flushed is repaired; the table goes."""
    mine = own_address(host.address)
    part = endpoint(web, "echo", {"name": "echo", "protocol": "UDP", "port": 9170}, host.address, host.name)
    with echo(shared, host.name, 9170):
        shared.apply(
            load_balancer(web, "nat", 8301, loadBalancerIP=PUBLIC),
            udp(web, "echo", 8302, 9170, loadBalancerIP=PUBLIC, externalTrafficPolicy="Local"),
            part,
        )
        for name in ("nat", "echo"):
            until(f"the address of {name}", lambda name=name: addresses(shared, web, name) == [PUBLIC])
        assert "web-" in until("an answer over TCP", lambda: answers(PUBLIC, 8301), pause=0.05)
        assert until("an answer over UDP", lambda: ask(PUBLIC, 8302), pause=0.05) == f"hello from {mine}"
        ask_it = f"curl -sS --max-time 5 http://{PUBLIC}:8301/"
        for at in shared.lab.hosts():
            until(f"an answer to {at.name}", lambda at=at: "web-" in shared.ssh(at.name, ask_it))
        listed = json.loads(shared.ok("service", "status", "nat", "-n", web, "-o", "json"))
        assert [row["result"] for row in listed["items"]] == ["accepts connections"]
        shared.ssh(host.name, "nft flush table inet rancherctl_lb")
        until("the rules are repaired", lambda: answers(PUBLIC, 8301), pause=0.05)
        shared.kubectl("delete", "service", "nat", "echo", "-n", web)
        until("the table is gone", lambda: "rancherctl_lb" not in shared.ssh(host.name, "nft list tables"))

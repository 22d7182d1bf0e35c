"""Upstreams as companies have them, on all hosts: their order, stub domains, expired data; Events about cut answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.dns.test_dns_lab import create, dig, hosts, service
from tests.lab.support import Environment, until

COMPANY, PUBLIC = "192.0.2.81", "198.51.100.81"
PORTS = {COMPANY: 5301, PUBLIC: 5302}
_numbers = itertools.count()


class Site:
    """Two resolvers on h1: the company's is slower, and knows other addresses than the public one."""

    def __init__(self, env: Environment) -> None:
        self.env, self.address = env, env.lab.host("h1").address
        script = Path(__file__).with_name("dns_upstream.py").read_text()
        env.ssh("h1", f"cat > /run/dns_upstream.py <<'END'\n{script}\nEND")
        for answer in PORTS:
            self.start(answer)

    def start(self, answer: str) -> None:
        words = f"{self.address} {answer} {PORTS[answer]} {0.05 if answer == COMPANY else 0} 2"
        unit = f"--collect --unit=test-{answer}"
        self.env.ssh("h1", f"systemctl is-active -q test-{answer} ||"
                     f" systemd-run -q {unit} python3 /run/dns_upstream.py {words}")  # fmt: skip

    def silence(self, answer: str) -> None:
        """The host drops its packets: nothing is refused."""
        self.env.ssh(
            "h1",
            "nft 'add table ip test_dns; add chain ip test_dns c { type filter hook prerouting priority -350; };"
            f" add rule ip test_dns c udp dport {PORTS[answer]} drop'",
        )

    def heal(self) -> None:
        self.env.ssh("h1", "nft delete table ip test_dns 2>/dev/null || true")

    def close(self) -> None:
        self.heal()
        self.env.ssh("h1", "; ".join(f"systemctl stop test-{answer} || true" for answer in PORTS))

    def at(self, answer: str) -> str:
        return f"{self.address}:{PORTS[answer]}"

    def rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.env.ok("dns", "status", "--upstreams", "-o", "json"))["items"]
        return found

    def used(self, domain: str = "") -> dict[str, str]:
        """The upstream that each host forwards to."""
        return {row["host"]: row["server"] for row in self.rows() if row["in_use"] and row["domain"] == domain}

    def everywhere(self, answer: str) -> dict[str, str]:
        return dict.fromkeys(hosts(self.env), self.at(answer))

    def answers(self, domain: str, *, times: int = 1) -> set[str]:
        """What all hosts answer to names that were not asked for before."""
        names = [f"n{next(_numbers)}.{domain}" for _ in range(times)]
        return {address for host in hosts(self.env) for name in names for address in dig(self.env, host, name)}


@pytest.fixture(scope="module")
def site(shared: Environment) -> Iterator[Site]:
    found = Site(shared)
    text = shared.ok("env", "show", shared.name)
    document = yaml.safe_load(text)
    both = [found.at(COMPANY), found.at(PUBLIC)]
    document["spec"]["dns"] = {"upstreams": both, "stubDomains": {"corp.example": both}}
    shared.ok("env", "apply", "-f", "-", stdin=yaml.safe_dump(document))
    until("all hosts use the first", lambda: found.used() == found.everywhere(COMPANY))
    yield found
    found.close()
    shared.ok("env", "apply", "-f", "-", stdin=text)


def test_hosts_ask_the_first_upstream_although_the_second_is_faster(site: Site) -> None:
    until("the first stub server", lambda: site.used("corp.example") == site.everywhere(COMPANY))
    for domain in ("example.com", "corp.example"):
        assert site.answers(domain, times=5) == {COMPANY}
    rows = [row for row in site.rows() if row["host"] == "h2" and not row["domain"]]
    assert [(row["order"], row["alive"], row["in_use"]) for row in rows] == [(1, True, True), (2, True, False)]
    assert rows[0]["latency_ms"] >= 50
    until("queries are counted", lambda: counted(site, "h2", COMPANY) >= 10)
    assert counted(site, "h2", PUBLIC) == 0


def counted(site: Site, host: str, answer: str) -> int:
    return max(row["queries"] for row in site.rows() if row["host"] == host and row["server"] == site.at(answer))


def test_the_next_is_used_while_the_first_is_silent_and_dns_status_says_why(site: Site) -> None:
    site.silence(COMPANY)
    try:
        until("the second", lambda: site.used() == site.used("corp.example") == site.everywhere(PUBLIC))
        until("its answers", lambda: site.answers("example.com") == {PUBLIC})
        assert site.answers("corp.example") == {PUBLIC}
        status = json.loads(site.env.ok("dns", "status", "-o", "json"))["items"]
        for row in status:
            assert any(f"upstream {site.at(COMPANY)} does not answer: no answer" in text for text in row["problems"])
    finally:
        site.heal()
    until("the first again", lambda: site.used() == site.used("corp.example") == site.everywhere(COMPANY))
    assert site.answers("example.com") == {COMPANY}


def test_expired_data_is_answered_in_time_while_both_are_silent(site: Site) -> None:
    """dig waits as long as glibc does, and asks once."""
    name = f"n{next(_numbers)}.example.com"
    asked = "+short +time=5 +tries=1"
    for host in hosts(site.env):
        assert dig(site.env, host, name) == [COMPANY]
    for answer in PORTS:
        site.silence(answer)
    try:
        until("both are dead on all hosts", lambda: not any(row["alive"] for row in site.rows()))
        for host in hosts(site.env):
            until(f"expired data on {host}", lambda h=host: dig(site.env, h, name, options=asked) == [COMPANY])
    finally:
        site.heal()
    until("the first again", lambda: site.used() == site.everywhere(COMPANY))


def test_an_answer_that_was_cut_is_an_event_on_its_service(shared: Environment, namespace: str) -> None:
    addresses = [f"10.42.{192 + n // 250}.{n % 250}" for n in range(2000)]
    slices: list[dict[str, object]] = [
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"big-{part}", "labels": {"kubernetes.io/service-name": "big"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 80}, {"name": "metrics", "port": 9090}],
            "endpoints": [{"addresses": [a]} for a in addresses[part * 1000 : part * 1000 + 1000]],
        }
        for part in range(2)
    ]
    create(shared, namespace, service("big", clusterIP="None"), *slices)

    def events() -> list[dict[str, Any]]:
        found = shared.get("events", "-n", namespace, "--field-selector", "reason=DnsRecordsIncomplete")
        return [item for item in found["items"] if item["involvedObject"]["name"] == "big"]

    (event,) = until("the Event", events)
    assert (event["involvedObject"]["kind"], event["type"]) == ("Service", "Warning")
    assert "records fit" in event["message"]
    name = f"big.{namespace}.svc.cluster.local"  # the Event is already there with the first slice
    until("all addresses, which fit", lambda: len(dig(shared, "h2", name)) == 2000)

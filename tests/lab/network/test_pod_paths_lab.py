"""Checks of pod paths on real hosts: each path is broken in turn, and the host that has the cause says so, alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.measures import Measure
from tests.lab.support import Environment, until

HOSTS = {"h1", "h2", "h3", "h4"}
PERIOD = 5


@pytest.fixture(scope="module")
def checked(shared: Environment) -> Iterator[Environment]:
    """The environment with a period of 5 s (spec.network.checkSeconds), while all paths work."""
    text = shared.ok("env", "show", shared.name)
    shorter = text.replace("mode: routed", f"mode: routed\n    checkSeconds: {PERIOD}")
    shared.ok("env", "apply", "-f", "-", stdin=shorter)
    until("all paths work", lambda: set(conditions(shared).values()) == {"PodsReachEverything"})
    yield shared
    shared.ok("env", "apply", "-f", "-", stdin=text)


def conditions(env: Environment) -> dict[str, str]:
    """The reason of the condition of each Node."""
    return {
        node["metadata"]["name"]: condition["reason"]
        for node in env.get("nodes")["items"]
        for condition in node["status"]["conditions"]
        if condition["type"] == "rancherctl.io/PodNetworkReady"
    }


DENY = (
    "nft add table ip deny; nft 'add chain ip deny c {{ type filter hook {0} priority 0; }}';"
    " nft add rule ip deny c {1}"
)
DENY_GONE = "nft delete table ip deny"
BREAKS = {
    "nft on one host": ("h3", DENY.format("forward", "ct state new drop"), DENY_GONE, "FirewallDropsPods"),
    "nft for DNS": ("h4", DENY.format("input", "ip saddr 10.42.0.0/16 drop"), DENY_GONE, "FirewallDropsPods"),
    "kube-proxy stopped": (
        "h2", "systemctl stop rancherctl-kube-proxy", "systemctl start rancherctl-kube-proxy", "KubeProxyFailed"
    ),
    "named stopped": (
        "h2",
        "systemctl mask --runtime --now rancherctl-dns",
        "systemctl unmask --runtime rancherctl-dns; systemctl start rancherctl-dns",
        "DNSServerFailed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_path_shows_at_its_host_with_its_cause(checked: Environment, what: str, measure: Measure) -> None:
    host, harm, cure, reason = BREAKS[what]
    expected = dict.fromkeys(HOSTS, "PodsReachEverything") | {host: reason}
    try:
        checked.ssh(host, harm)
        until(f"{host} says {reason}", lambda: conditions(checked) == expected)
        status = json.loads(checked.rancherctl("env", "status", checked.name, "-o", "json").stdout)
        lines = [line for line in status["problems"] if ": pods: " in line]
        assert [line.partition(":")[0] for line in lines] == [host], lines
        assert any(host in line for line in status["next"]), status["next"]
    finally:
        checked.ssh(host, cure)
    until("all paths work again", lambda: set(conditions(checked).values()) == {"PodsReachEverything"})

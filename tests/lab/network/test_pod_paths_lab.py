"""Checks of pod paths on real hosts: each path is broken in turn, and the host that has the cause says so, alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from rancherctl.lab.model import netns_of
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


def problems(env: Environment, *words: str) -> tuple[list[str], dict[str, Any]]:
    """The problems of pods in `env status`, and all of it."""
    status: dict[str, Any] = json.loads(env.rancherctl("env", "status", env.name, *words, "-o", "json").stdout)
    return [line for line in status["problems"] if ": pods: " in line], status


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
    "route that leads nowhere": (
        "h2",
        "ip rule add pref 10 to $(ip -4 route show proto 173 | grep 'via [0-9.]*13 ' | cut -d' ' -f1) unreachable",
        "ip rule del pref 10",
        "RouteMissing",
    ),
    "named stopped": (
        "h2",
        "systemctl mask --runtime --now rancherctl-dns",
        "systemctl unmask --runtime rancherctl-dns; systemctl start rancherctl-dns",
        "DNSServerFailed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_path_shows_at_its_host_with_its_cause(checked: Environment, what: str) -> None:
    host, harm, cure, reason = BREAKS[what]
    expected = dict.fromkeys(HOSTS, "PodsReachEverything") | {host: reason}
    try:
        checked.ssh(host, harm)
        until(f"{host} says {reason}", lambda: conditions(checked) == expected)
        for check in ([], ["--check"]):
            found, status = problems(checked, *check)
            assert [line.partition(":")[0] for line in found] == [host], found
            assert any(host in line for line in status["next"]), status["next"]
    finally:
        checked.ssh(host, cure)
    until("all paths work again", lambda: set(conditions(checked).values()) == {"PodsReachEverything"})


def test_a_switch_that_drops_pod_addresses_shows_at_all_hosts(checked: Environment) -> None:
    """The API is on h1: pods of the others do not reach it either."""
    inside = ("nsenter", f"--net=/run/netns/{netns_of(checked.lab.lab.name)}", "--", "nft")
    rules = "table bridge pods { chain c { type filter hook forward priority 0; ip saddr 10.42.0.0/16 drop; }; }"
    subprocess.run([*inside, rules], check=True)
    try:
        expected = dict.fromkeys(HOSTS, "NetworkDropsPods")
        until("all hosts say NetworkDropsPods", lambda: conditions(checked) == expected)
        found, status = problems(checked, "--check")
        assert [line.partition(":")[0] for line in found] == sorted(HOSTS), found
        assert any("spec.network.mode: vxlan" in line for line in status["next"]), status["next"]
    finally:
        subprocess.run([*inside, "delete", "table", "bridge", "pods"], check=True)
    until("all paths work again", lambda: set(conditions(checked).values()) == {"PodsReachEverything"})


def test_a_deleted_route_shows_while_its_repair_is_held_off(checked: Environment) -> None:
    """A check on request needs no agent: it runs over ssh, with what the host has stored."""
    route = checked.ssh("h3", "ip -4 route show proto 173 | grep 'via [0-9.]*12 '").split()
    checked.ssh("h3", f"systemctl stop rancherctl-agent; ip route del {route[0]}")
    try:
        found, _ = problems(checked, "--check")
        assert [line.partition(": pods: ")[0] for line in found] == ["h3"], found
        assert "the route to pods of h2 is missing" in found[0]
    finally:
        checked.ssh("h3", "systemctl start rancherctl-agent")
    until("all paths work again", lambda: problems(checked, "--check")[0] == [])

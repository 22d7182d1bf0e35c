"""The check of pod paths on request: what the agent's command answers."""

from __future__ import annotations

import json

import pytest

from rancherctl.environments.pod_paths_check import parse
from rancherctl.errors import RancherctlError, UsageError
from rancherctl.hosts.command import Result, command
from rancherctl.network.model import KernelRoute, NetworkState, Tunnel, Vxlan
from rancherctl.pod_paths.model import Check, HostPaths, to_section
from rancherctl.pod_paths.now import known_targets, parse_peers

FOUND = HostPaths(Check("yes"), Check("no", "kube-proxy", "stopped"), {"h2": Check("yes")})


def result(status: int, out: str = "", error: str = "") -> Result:
    return Result(command("x"), status, out.encode(), error.encode())


def test_the_answer_after_a_greeting_is_read() -> None:
    assert parse("h1", result(0, f"Welcome!\n{json.dumps(to_section(FOUND))}\n")) == FOUND


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (result(2, error="agent.pyz: error: argument command: invalid choice: 'pod-paths'"), "earlier release"),
        (result(1, error="<3>/etc/rancherctl/agent.json does not exist"), "the check failed"),
        (result(0, "garbage"), "cannot be read"),
        (result(0, "{}"), "cannot be read"),
    ],
)
def test_an_answer_that_is_none_is_an_error(answer: Result, expected: str) -> None:
    with pytest.raises(RancherctlError, match=expected):
        parse("h1", answer)


def test_a_host_knows_the_pods_of_named_hosts_from_its_stored_routes() -> None:
    tunnel = Tunnel("10.42.3.0", "02:00:00:00:00:01", "10.0.1.13")
    routes = (
        KernelRoute("10.42.2.0/24", "10.0.0.12"),
        KernelRoute("10.42.3.0/24", "10.42.3.0", "rctl-vxlan", "10.42.1.0"),
        KernelRoute("10.42.9.0/24", "10.0.0.19"),
    )
    vxlan = Vxlan("10.42.1.0", "02:00:00:00:00:02", "10.0.0.11", 1450, (tunnel,))
    words = ["h2=10.0.0.12", "h3=10.0.1.13", "h4=10.0.0.14"]
    asked, unknown = known_targets(NetworkState(("10.43.0.10",), routes, vxlan), parse_peers(words))
    assert [(t.node, t.address, t.via) for t in asked] == [
        ("h2", "10.42.2.255", "10.0.0.12"), ("h3", "10.42.3.255", "rctl-vxlan"),
    ]  # fmt: skip
    assert unknown == ("h4",)


def test_a_word_that_does_not_name_a_peer_is_refused() -> None:
    with pytest.raises(UsageError, match="NODE=ADDRESS"):
        parse_peers(["h2"])

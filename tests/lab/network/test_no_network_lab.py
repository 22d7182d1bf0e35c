"""network.mode none: all but the pod network runs, apply and status report it, an add-on makes the node Ready."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rancherctl.lab.session import running_lab
from tests.lab.support import Environment, lab_name, make, until

CNI = {
    "cniVersion": "1.0.0",
    "name": "other",
    "plugins": [
        {
            "type": "ptp",
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.42.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]},
        }
    ],
}


def ready(env: Environment) -> tuple[str, str]:
    """(status, message) of the only node's Ready condition."""
    (node,) = env.get("nodes")["items"]
    return next((c["status"], c["message"]) for c in node["status"]["conditions"] if c["type"] == "Ready")


@pytest.mark.slow
def test_the_pod_network_of_an_add_on_makes_nodes_ready(tmp_path: Path) -> None:
    name = lab_name("n")
    with running_lab(name, 1) as lab:
        env = make(name, lab, tmp_path, network={"mode": "none"})

        made = env.rancherctl("env", "create", "-f", str(env.file), "--timeout", "10m", "--progress", "plain")
        assert made.returncode == 0, made.stderr
        assert "1 of 1 nodes are not Ready: network.mode is none" in made.stderr
        status, why = ready(env)
        assert (status, "cni plugin not initialized" in why) == ("False", True)

        found: dict[str, Any] = {}

        def agent_is_alive() -> bool:
            found.update(json.loads(env.rancherctl("env", "status", name, "-o", "json").stdout))
            return found["hosts"][0]["alive"] is True

        until("the roster has the agent", agent_is_alive, timeout=60, pause=0.5)
        assert found["state"] == "degraded"
        (problem,) = found["problems"]
        assert problem.startswith("h1: Node is not Ready: ")
        assert "cni plugin not initialized" in problem
        assert any("network.mode is none" in line for line in found["notes"])
        assert found["drift"] == []

        assert env.ssh("h1", "ls -A /etc/cni/net.d; ip -4 route show proto 173; ip link show type vxlan").strip() == ""
        assert "masquerade" not in env.ssh("h1", "nft list table inet rancherctl_network")
        dig = "dig +short +time=10 @10.43.0.10 kubernetes.default.svc.cluster.local"
        until("the API's name", lambda: env.ssh("h1", dig).strip() == "10.43.0.1")
        lb = until(
            "the load balancer role reports", lambda: env.get("configmap", "report-h1", "-n", "rancherctl-system")
        )
        assert "lb" in json.loads(lb["data"]["report"])["sections"]

        env.ssh("h1", f"sysctl -qw net.ipv4.ip_forward=1; echo '{json.dumps(CNI)}' > /etc/cni/net.d/20-other.conflist")
        until("the node is Ready", lambda: ready(env)[0] == "True")
        again = env.rancherctl("env", "apply", "-f", str(env.file), "--progress", "plain")
        assert again.returncode == 0, again.stderr
        assert "not Ready" not in again.stderr
        assert f"{name}: nothing to do" in again.stdout
        assert env.ssh("h1", "ls -A /etc/cni/net.d").split() == ["20-other.conflist"]
        env.ok("env", "status", name)

        removed = env.rancherctl("env", "rm", name, "--confirm", name)
        assert removed.returncode == 0, removed.stderr
        assert env.ssh("h1", "ls -A /etc/cni/net.d").split() == ["20-other.conflist"]

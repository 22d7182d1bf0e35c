"""Roles on separate hosts, and an environment without workers, which a federation is built on."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.lab.session import running_lab
from tests.lab.support import lab_name, make, until


@pytest.mark.slow
def test_etcd_and_control_plane_run_on_separate_hosts_without_any_worker(tmp_path: Path) -> None:
    name = lab_name("r")
    with running_lab(name, 2) as lab:
        env = make(name, lab, tmp_path, roles=[["etcd"], ["controlplane"]])
        env.ok("env", "create", "-f", str(env.file))
        nodes = {n["metadata"]["name"]: n for n in env.get("nodes")["items"]}
        assert set(nodes) == {"h1", "h2"}
        for node in nodes.values():
            assert any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"]["conditions"])
            assert any(t["effect"] == "NoSchedule" for t in node["spec"]["taints"])
            assert "rancherctl.io/load-balancer" not in node["metadata"]["labels"]
        assert "rancherctl-kube-apiserver" not in env.ssh("h1", "systemctl list-units --no-legend 'rancherctl-*'")
        assert "rancherctl-etcd" not in env.ssh("h2", "systemctl list-units --no-legend 'rancherctl-*'")
        dig = "dig +short +time=10 @10.43.0.10 kubernetes.default.svc.cluster.local"
        until("the API's name", lambda: env.ssh("h1", dig).strip() == "10.43.0.1")
        done = env.rancherctl("env", "rm", env.name, "--confirm", env.name)
        assert done.returncode == 0, done.stderr

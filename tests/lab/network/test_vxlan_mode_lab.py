"""network.mode vxlan: pods of two hosts meet behind a switch that drops pod addresses; both changes while they talk."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from rancherctl.lab.session import running_lab
from tests.lab import workloads as w
from tests.lab.measures import Measure
from tests.lab.support import Environment, lab_name, make, until

NAMESPACE = "default"
LOOP = """
systemd-run -q --unit=talk sh -c 'n=$(cat /tmp/netns); while :; do
  if nsenter --net=$n curl -s -m 1 -o /dev/null http://{pod}:8080/; then echo ok; else echo lost; fi
  sleep 0.05
done > /tmp/talk'
"""
"""Requests from the network namespace of a pod, one after another, with the result of each."""


@pytest.fixture(scope="module")
def behind_switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """h1 (control plane, worker) and h2 (worker) on one subnet, with pods a and b; the bridge passes everything."""
    name = lab_name("v")
    with running_lab(name, 2) as lab:
        environment = make(name, lab, tmp_path_factory.mktemp("vxlan"))
        environment.ok("env", "create", "-f", str(environment.file))
        environment.apply(w.pod(NAMESPACE, "a", "h1"), w.pod(NAMESPACE, "b", "h2"))
        w.ready(environment, NAMESPACE, "pod", "a", "b")
        yield environment


def set_mode(env: Environment, mode: str) -> str:
    """Plan and apply another mode; returns the plan."""
    document = yaml.safe_load(env.file.read_text())
    document["spec"]["network"] = {"mode": mode}
    env.file.write_text(yaml.safe_dump(document, sort_keys=False))
    planned = env.rancherctl("env", "plan", "-f", str(env.file))
    env.ok("env", "apply", "-f", str(env.file))
    return planned.stdout + planned.stderr


def devices(env: Environment) -> list[str]:
    """How h1 and h2 reach each other's pods: names of devices."""
    found = [env.ssh(host, "ip -4 route show proto 173") for host in ("h1", "h2")]
    return [device for text in found for device in re.findall(r" dev (\S+)", text)]


def meets(env: Environment, pod: str) -> bool:
    done = env.ssh(
        "h1", f"nsenter --net=$(cat /tmp/netns) curl -s -m 2 -o /dev/null http://{pod}:8080/ && echo ok || true"
    )
    return done.strip() == "ok"


@pytest.mark.slow
def test_pods_meet_behind_a_filter_in_vxlan_mode_only_and_both_changes_lose_next_to_nothing(
    behind_switch: Environment, measure: Measure
) -> None:
    env = behind_switch
    a, b = (w.pod_ip(env, NAMESPACE, name) for name in ("a", "b"))
    find = f"nsenter --net=$n ip -4 -o addr | grep -q ' {a}/' && echo $n > /tmp/netns"
    env.ssh("h1", f"for n in /run/netns/*; do {find}; done; true")
    assert meets(env, b)
    env.ssh("h1", LOOP.format(pod=b))

    for mode, device in (("vxlan", "rctl-vxlan"), ("routed", "host0")):
        plan = set_mode(env, mode)
        assert re.search(rf"spec\.network\.mode changes from \w+ to {mode}: .*MTU", plan), plan
        until(f"routes of mode {mode}", lambda d=device: devices(env) == [d, d])
        until(
            "the tunnels of routed mode are gone",
            lambda m=mode: m == "vxlan" or "rctl-vxlan" not in env.ssh("h1", "ip link"),
        )
        assert meets(env, b)
        results = env.ssh("h1", "cat /tmp/talk; : > /tmp/talk").split()
        measure(
            f"requests between pods lost while the mode became {mode}, of {len(results)}", results.count("lost"), ""
        )
        assert results.count("lost") <= 2
        assert results.count("ok") > 10
    env.ssh("h1", "systemctl stop talk")

    env.lab.filter_pod_sources(True)
    until("routed pods do not meet behind the filter", lambda: not meets(env, b))
    set_mode(env, "vxlan")
    until("pods meet in vxlan mode", lambda: meets(env, b))
    big = "body?size=1048576"  # pods that run since mode routed have a larger MTU than the tunnel
    count = env.kubectl("exec", "-n", NAMESPACE, "a", "--", "/testweb", "get", "-count", f"http://{b}:8080/{big}")
    assert count.strip() == "1048576"
    env.apply(w.pod(NAMESPACE, "c", "h2"))
    w.ready(env, NAMESPACE, "pod", "c")
    assert meets(env, w.pod_ip(env, NAMESPACE, "c"))
    mtu = "ip -4 -o route get {0} | grep -o 'dev [^ ]*' | cut -d' ' -f2 | xargs -I D cat /sys/class/net/D/mtu"
    assert env.ssh("h2", mtu.format(w.pod_ip(env, NAMESPACE, "c"))).strip() == "1450"
    assert "nothing to do" in env.ok("env", "apply", "-f", str(env.file))

    document = yaml.safe_load(env.file.read_text())
    document["spec"]["network"] = {"mode": "none"}
    other = env.home / "none.yaml"
    other.write_text(yaml.safe_dump(document, sort_keys=False))
    refused = env.rancherctl("env", "apply", "-f", str(other))
    assert refused.returncode != 0
    assert "spec.network.mode is vxlan and cannot become none" in refused.stderr

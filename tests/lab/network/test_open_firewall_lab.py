"""--open-firewall on hosts that deny by default: pods get through, after a reload and a reboot, too; rm cleans up."""

from __future__ import annotations

import pytest

from rancherctl.lab.model import Firewall
from rancherctl.lab.session import running_lab
from tests.lab import workloads as w
from tests.lab.support import Environment, lab_name, make, until

NAMESPACE = "default"
RULES = {
    "nft": "nft -s list table inet filter",
    "ufw": "cat /etc/ufw/user.rules /etc/default/ufw /etc/ufw/ufw.conf; iptables -S | grep -v KUBE- | sort",
    "firewalld": "for where in --permanent ''; do for zone in trusted public; do"
    " firewall-cmd $where --zone=$zone --list-all; done; done",
}
"""Everything that must be the same after the environment was removed."""
RELOAD = {"nft": "nft -f /etc/nftables.conf", "ufw": "ufw reload", "firewalld": "firewall-cmd --reload"}


def works(env: Environment) -> bool:
    """Whether pod a on h1 reaches DNS, the API and pod b on h2."""
    inside = ("exec", "-n", NAMESPACE, "a", "--", "/testweb", "get", "-timeout", "3s")
    env.kubectl(*inside, "http://b.default.svc.cluster.local/")
    env.kubectl(*inside, f"http://{w.pod_ip(env, NAMESPACE, 'b')}:8080/")
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nft", "ufw", "firewalld"])
def test_pods_get_through_a_firewall_that_env_apply_opened(
    kind: Firewall, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = lab_name("f")
    with running_lab(name, 2, firewall=kind) as lab:
        env = make(name, lab, tmp_path_factory.mktemp("open"))
        before = {host: env.ssh(host, RULES[kind]) for host in ("h1", "h2")}
        planned = env.ok("env", "plan", "-f", str(env.file), "--open-firewall", "-o", "wide")
        assert "create firewall rule" in planned
        assert {host: env.ssh(host, RULES[kind]) for host in ("h1", "h2")} == before
        env.ok("env", "create", "-f", str(env.file), "--open-firewall")
        env.apply(w.pod(NAMESPACE, "a", "h1"), w.pod(NAMESPACE, "b", "h2"), w.service(NAMESPACE, "b"))
        w.ready(env, NAMESPACE, "pod", "a", "b")
        until("pods get through", lambda: works(env))
        assert "openFirewall: true" in env.ok("env", "show", name)
        assert "nothing to do" in env.ok("env", "apply", name)

        env.ssh("h2", RELOAD[kind])
        until("pods get through after a reload", lambda: works(env))
        lab.reboot("h2")
        until("pods get through after a reboot", lambda: works(env))

        env.ok("env", "apply", name, "--no-open-firewall")
        assert {host: env.ssh(host, RULES[kind]) for host in ("h1", "h2")} == before
        assert "openFirewall" not in env.ok("env", "show", name)
        env.ok("env", "apply", name, "--open-firewall")
        until("pods get through again", lambda: works(env))
        env.ok("env", "rm", name, "--confirm", name)
        assert {host: env.ssh(host, RULES[kind]) for host in ("h1", "h2")} == before

"""An environment of the last release keeps serving while `env apply` upgrades it, and ends up as if made by this one.

The tests of this file build on each other, in their order.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

import pytest

from rancherctl import __version__
from rancherctl.lab.session import running_lab
from tests.fakes import tls
from tests.lab import workloads
from tests.lab.host_state import state
from tests.lab.measures import Measure
from tests.lab.releases import RELEASE_0_1, by_release, checked_out
from tests.lab.services.lb_services import addresses, answers, load_balancer, published
from tests.lab.support import Environment, all_hosts_take_part, curl, lab_name, make, until
from tests.lab.traffic import IngressWatch, Queries, Traffic, failed

pytestmark = pytest.mark.slow
NAME = lab_name("up")
SPACE = "default"
HOST = "upgrade.example.org"
SECURE = "secure.example.org"
RESTARTED = {"rancherctl-agent.service", "rancherctl-ingress.service", "rancherctl-kube-proxy.service"}
"""What the upgrade restarts on a host; on the control plane also the controller. kube-proxy's rules stay meanwhile."""
CONTROLLER = "rancherctl-controller.service"
CERTIFICATE = tls.Authority().issue(SECURE)


@dataclass
class Upgrade:
    """The environment as this release operates it (``new``) and as the last one did (``old``)."""

    old: Environment
    new: Environment
    bare: dict[str, set[str]]


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    """Four hosts with an environment of release 0.1 that serves two pods through an Ingress with two addresses.

    A second Ingress has TLS entries, which release 0.1 ignores: its host answers plain requests. A Service of type
    LoadBalancer waits for an address.
    """
    with (
        checked_out(RELEASE_0_1, tmp_path_factory.mktemp("release")) as programs,
        running_lab(NAME, 4, bare=True) as lab,
    ):
        new = make(NAME, lab, tmp_path_factory.mktemp("home"))
        old = by_release(new, programs)
        bare = {host.name: state(lab, host.name) for host in lab.hosts()}
        old.ok("env", "create", "-f", str(old.file))
        workloads.web(old, SPACE, 2, **workloads.spread("web"))
        old.apply(workloads.ingress(SPACE, "web", HOST, "web", scale="2"))
        workloads.published(old, SPACE, "web", 2)
        old.apply(workloads.tls_secret(SPACE, "secure", CERTIFICATE))
        old.apply(workloads.ingress(SPACE, "secure", SECURE, "web", secret="secure"))
        workloads.published(old, SPACE, "secure", 1)
        pending = load_balancer(SPACE, "pending", 8701)
        del pending["spec"]["loadBalancerClass"]
        old.apply(pending)
        yield Upgrade(old, new, bare)


class Load:
    """Requests to both addresses, DNS queries on every host but ``without``; ``check`` proves none failed.

    With ``restarting``, load balancers restart as another user: requests to that host's address may fail meanwhile.
    """

    def __init__(self, env: Environment, *, without: str = "", restarting: bool = False) -> None:
        self._stack, self._restarting = ExitStack(), restarting
        self._env, self._without = env, without
        self.addresses = workloads.published(env, SPACE, "web", 2)

    def __enter__(self) -> Load:
        self.watch = self._stack.enter_context(IngressWatch(self._env, SPACE, "web"))
        self.traffic = self._stack.enter_context(Traffic(lambda: self.addresses, HOST, slots=2))
        name = f"web.{SPACE}.svc.cluster.local"
        hosts = [h.name for h in self._env.lab.hosts() if h.name != self._without]
        self.queries = [self._stack.enter_context(Queries(self._env, host, name)) for host in hosts]
        self.traffic.wait_for(20)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def check(self) -> None:
        """Nothing failed since the start, every client kept asking, and both addresses stayed published.

        With ``restarting``, the addresses fail one after another, each only once and for a short time.
        """
        self.traffic.wait_for(20)
        samples = self.traffic.samples()
        assert len(samples) > 100
        if self._restarting:
            spans = sorted((bad[0].at, bad[-1].end) for a in self.addresses if (bad := failed(self.traffic.samples(a))))
            assert all(end - begin < 5.0 for begin, end in spans), spans
            assert all(end < begin for (_, end), (begin, _) in pairwise(spans)), "two hosts were away at once"
        else:
            assert failed(samples) == []
        for queries in self.queries:
            assert len(queries.samples()) > 20
            assert failed(queries.samples()) == [], queries.host
        kept = (set(self.addresses) & set(seen.addresses) for seen in self.watch.history)
        assert min(map(len, kept)) >= (1 if self._restarting else len(self.addresses))


def haproxy_user(env: Environment, host: str) -> str:
    """The user that the load balancer's worker on a host runs as."""
    pid = "$(systemctl show -P MainPID rancherctl-ingress.service)"
    return env.ssh(host, f"stat -c %U /proc/{pid}").strip()


def processes(env: Environment, host: str) -> dict[str, str]:
    """The main process of each of rancherctl's services on a host."""
    shown = env.ssh(host, "systemctl show -p Id -p MainPID 'rancherctl-*.service'")
    blocks = (dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n"))
    return {block["Id"]: block["MainPID"] for block in blocks}


def agent_release(env: Environment, host: str) -> str:
    """The folder of the agent that runs on a host."""
    return env.ssh(host, "readlink /opt/rancherctl/agent/current").strip()


def test_a_plan_by_the_new_release_changes_nothing(upgrade: Upgrade) -> None:
    before = {h: agent_release(upgrade.new, h) for h in upgrade.bare}
    planned = upgrade.new.rancherctl("env", "plan", NAME)
    assert planned.returncode == 0, planned.stderr
    assert "agent" in planned.stdout
    assert f"with tls are redirected to HTTPS once the certificates are valid: {SPACE}/secure;" in planned.stderr
    assert "spec.ingress.tls.redirect" in planned.stderr
    (address,) = upgrade.new.addresses("secure", SPACE)
    assert curl(address, SECURE)[0] == 200
    assert {h: agent_release(upgrade.new, h) for h in upgrade.bare} == before


def test_the_load_balancer_runs_as_the_user_of_the_api_balancer_before_the_upgrade(upgrade: Upgrade) -> None:
    assert {haproxy_user(upgrade.new, host) for host in upgrade.bare} == {"haproxy"}


def test_an_apply_with_one_host_away_updates_the_others_and_harms_nothing(upgrade: Upgrade, measure: Measure) -> None:
    new = upgrade.new
    published = new.addresses("web", SPACE)
    away = next(h.name for h in new.lab.hosts() if h.address not in published and h.name != "h1")
    until("all hosts take part again", lambda: all_hosts_take_part(new), timeout=240, pause=0.5)
    before = {host: processes(new, host) for host in upgrade.bare if host != away}
    with Load(new, without=away, restarting=True) as load:
        new.lab.cut(away)
        try:
            done = new.rancherctl("env", "apply", "-f", str(new.file))
        finally:
            new.lab.heal(away)
        assert done.returncode == 6, done.stderr
        load.check()
        samples = load.traffic.samples()
    measure("upgrade, requests while load balancers restart", len(samples), "requests")
    measure("upgrade, of them failed at the restarting host", len(failed(samples)), "requests")
    assert agent_release(new, "h1") != agent_release(new, away), "the host that was away still has the last release"
    for host, pids in before.items():
        after = processes(new, host)
        assert {unit for unit, pid in pids.items() if after[unit] != pid} - {CONTROLLER} == RESTARTED, host


def test_an_apply_that_loses_the_api_and_is_killed_while_agents_are_replaced_harms_nothing(upgrade: Upgrade) -> None:
    new = upgrade.new
    with Load(new) as load:
        process = subprocess.Popen(
            [str(new.programs / "rancherctl"), "env", "apply", "-f", str(new.file), "--progress", "plain"],
            env=new.variables,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if " agents " in line:
                break
        new.ssh("h1", "systemctl stop rancherctl-kube-apiserver")
        load.traffic.wait_for(20)
        process.send_signal(signal.SIGKILL)
        process.stderr.close()
        assert process.wait(60) == -signal.SIGKILL, "".join(lines)
        new.ssh("h1", "systemctl start rancherctl-kube-apiserver")
        load.traffic.wait_for(100)
        load.check()


def test_an_apply_installs_the_new_release_without_a_failed_request_or_query(upgrade: Upgrade) -> None:
    new = upgrade.new
    until("all hosts take part again", lambda: all_hosts_take_part(new), timeout=240, pause=0.5)
    with Load(new) as load:
        new.ok("env", "apply", "-f", str(new.file))
        load.traffic.wait_for(100)
        load.check()
    assert len({agent_release(new, h) for h in upgrade.bare}) == 1


def test_afterwards_nothing_is_left_to_do_and_the_environment_is_healthy(upgrade: Upgrade) -> None:
    new = upgrade.new
    planned = new.rancherctl("env", "plan", NAME)
    assert "nothing to do" in planned.stdout
    assert "redirected" not in planned.stderr
    new.ok("env", "status", NAME)
    new.apply(workloads.ingress(SPACE, "second", "second.example.org", "web", scale="3"))
    workloads.published(new, SPACE, "second", 3)


def test_the_load_balancer_has_a_user_of_its_own_and_the_api_balancer_cannot_read_its_files(upgrade: Upgrade) -> None:
    new = upgrade.new
    for host in upgrade.bare:
        assert haproxy_user(new, host) == "rancherctl-lb"
        folder = "/var/lib/rancherctl/ingress"
        others = new.ssh(host, f"find {folder} ! -group rancherctl-lb -printf '%f %m %u\n'").splitlines()
        assert others == ["state.json 600 root"], "the agent's own file"
        tried = new.ssh(host, f"su -s /bin/sh haproxy -c 'cat {folder}/haproxy.cfg' 2>&1 || true")
        assert "Permission denied" in tried


def test_an_ingress_with_tls_keeps_its_address_is_served_over_https_and_redirects(upgrade: Upgrade) -> None:
    (address,) = upgrade.new.addresses("secure", SPACE)
    until("the certificate", lambda: tls.serial(443, SECURE, address) == CERTIFICATE.serial)
    until("the redirect", lambda: curl(address, SECURE)[0] == 308)
    assert tls.answer(443, SECURE, address=address).startswith("web-")


def test_services_that_were_pending_are_published_only_when_the_file_says_so(upgrade: Upgrade) -> None:
    """What waited for an address must not appear on public ones because the release changed."""
    new = upgrade.new
    new.apply(load_balancer(SPACE, "asked", 8702, scale=2))
    for address in published(new, SPACE, "asked", 2):
        assert "web-" in until("an answer", lambda a=address: answers(a, 8702), pause=0.05)
    assert not addresses(new, SPACE, "pending")
    assert "spec.services.default of the environment is false" in new.ok("service", "show", "pending", "-n", SPACE)
    text = new.file.read_text(encoding="utf-8")
    file = new.file.with_name("services.yaml")
    file.write_text(text.replace("spec:\n", "spec:\n  services: {default: true}\n", 1), encoding="utf-8")
    planned = new.rancherctl("env", "plan", "-f", str(file))
    assert f"{SPACE}/pending (8701/TCP)" in planned.stderr
    assert not addresses(new, SPACE, "pending")
    new.ok("env", "apply", "-f", str(file))
    (address,) = published(new, SPACE, "pending", 1)
    assert "web-" in until("an answer", lambda: answers(address, 8701), pause=0.05)


def test_the_record_names_the_release_that_applied_last(upgrade: Upgrade) -> None:
    maps = upgrade.new.get("configmaps", "-n", "rancherctl-system")
    assert any(__version__ in str(item.get("data", "")) for item in maps["items"])


def test_rm_leaves_nothing_of_either_release(upgrade: Upgrade) -> None:
    upgrade.new.ok("env", "rm", NAME, "--confirm", NAME)
    for host, lines in upgrade.bare.items():
        after = state(upgrade.new.lab, host)
        assert after - lines == set(), f"left on {host}"
        assert lines - after == set(), f"gone from {host}"

"""The life of an environment on bare hosts, from its first plan to its removal.

The plan names everything, interrupted runs converge, a second run plans nothing, rm leaves nothing.

The tests of this file build on each other, in their order.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.agents.install import host_resources
from rancherctl.bundle.verify import check
from rancherctl.environments import member_health
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import load
from rancherctl.environments.phases import PHASES
from rancherctl.environments.phases.rolling import RollingResources
from rancherctl.environments.reconcile import apply, plan
from rancherctl.environments.status import status
from rancherctl.errors import LockedError, PartialError
from rancherctl.events import Event
from rancherctl.hosts import host_lock, lock_owner
from rancherctl.hosts.connections import Connections
from rancherctl.lab.session import running_lab
from tests.fakes import tls
from tests.lab import workloads
from tests.lab.host_state import files, state
from tests.lab.measures import Measure
from tests.lab.services.lb_services import published_and_drained
from tests.lab.support import BIN, Environment, bundle, curl, lab_name, make, until

NAME = lab_name("life")
SECURE = "secure.example.org"
SITE = tls.Authority().issue(SECURE)
KEYS = "/run/rancherctl/ingress-tls"
AUDIT = "/var/log/rancherctl/audit/audit.log"
MADE_ON_HOSTS = (
    "/etc/rancherctl/pki/",
    "/etc/rancherctl/dns/",
    "/etc/systemd/system/multi-user.target.wants/",
    "/etc/systemd/system/sockets.target.wants/",
    "/etc/systemd/system/timers.target.wants/",
)
"""What appears below /etc and /opt and is in no plan: keys and requests made there, links of `systemctl enable`."""

NEVER_STARTED = ("preflight", "lock", "firewall", "firewall-close", "prune")
"""Phases that a first apply does not announce: two are over before it has a plan, no firewall is opened or closed, and
nothing is surplus."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    with running_lab(NAME, 2, bare=True) as lab:
        yield make(NAME, lab, tmp_path_factory.mktemp("life"))


@pytest.fixture(scope="module")
def before(environment: Environment) -> dict[str, set[str]]:
    return {host.name: state(environment.lab, host.name) for host in environment.lab.hosts()}


class Cut(BaseException):
    """Stands for an operator's Ctrl-C."""


def context(connections: Connections, emit: Any) -> Context:
    return Context(connections.transport, check(bundle(), contents=False), host_resources, emit)


def run(environment: Environment, function: Any, emit: Any = lambda _: None, **more: Any) -> Any:
    wanted = load(environment.file.read_text()).environment
    with Connections() as connections:
        return function(wanted, context(connections, emit), **more)


def test_the_plan_before_the_first_apply_names_hosts_packages_files_and_units(
    environment: Environment, before: dict[str, set[str]]
) -> None:
    found = run(environment, plan)
    steps = {(s.host, s.kind, s.verb, s.name) for s in found.steps()}
    for host in ("h1", "h2"):
        assert {
            (host, "package", "install", name) for name in ("haproxy", "bind9", "runc", "conntrack", "nftables")
        } <= steps
        assert (host, "unit", "start", "rancherctl-kubelet.service") in steps
        assert (host, "certificate", "create", "/etc/rancherctl/pki/agent.crt") in steps
    assert ("h1", "unit", "start", "rancherctl-etcd.service") in steps
    assert ("h2", "unit", "start", "rancherctl-etcd.service") not in steps
    diff = next(s.detail for s in found.steps() if s.name == "/etc/rancherctl/kubelet.yaml")
    assert any(line.startswith("+") and "clusterDNS" in line for line in diff)
    assert {host: state(environment.lab, host) for host in before} == before, "a plan changes nothing"


def test_an_apply_interrupted_at_any_phase_is_resumed_by_the_next(
    environment: Environment, before: dict[str, set[str]]
) -> None:
    planned = run(environment, plan)
    made = {
        path
        for s in planned.steps()
        if s.kind == "unit"
        for line in s.detail
        for path in line.removeprefix("creates ").split(", ")
    }
    environment.home.joinpath("planned.json").write_text(json.dumps(sorted({s.name for s in planned.steps()} | made)))
    reached = []
    for phase in [p.name for p in PHASES if p.name not in NEVER_STARTED]:

        def cut(event: Event, phase: str = phase) -> None:
            if event.phase == phase and event.state == "started" and event.subject == "":
                reached.append(phase)
                raise Cut

        with pytest.raises(Cut):
            run(environment, apply, cut)
    assert reached == [p.name for p in PHASES if p.name not in NEVER_STARTED]


def test_a_killed_apply_does_not_lock_out_the_next(environment: Environment) -> None:
    """kill -9 in the middle: the lock is not released, and the next run on this machine sees that its owner is gone."""
    environment.lab.ssh("h2", "rm /etc/rancherctl/kubelet.yaml; systemctl disable --now rancherctl-containerd")
    process = subprocess.Popen(
        [str(BIN / "rancherctl"), "env", "apply", "-f", str(environment.file), "--progress", "plain"],
        env=environment.variables,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if " nodes " in line:
            process.send_signal(signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL
    applied = run(environment, apply)
    assert applied.failures == {}


def test_an_apply_converges_and_a_second_run_plans_nothing(environment: Environment, measure: Measure) -> None:
    assert not run(environment, apply).failures
    began = time.monotonic()
    assert run(environment, plan).steps() == ()
    again = run(environment, apply)
    measure("second plan and apply, 2 hosts", time.monotonic() - began, "s")
    assert again.plan.steps() == ()


def test_the_health_urls_of_control_plane_members_answer_on_their_host(environment: Environment) -> None:
    """A rolling change waits for them; with one control-plane host no apply does."""
    wanted = load(environment.file.read_text()).environment
    rolling = [phase for phase in PHASES if isinstance(phase, RollingResources)]
    assert [phase.name for phase in rolling] == ["etcd", "control-plane", "nodes"]
    with Connections() as connections:
        host = connections.transport(wanted.hosts[0])
        for phase in rolling:
            members = phase.members
            assert member_health.problem(host, members.health(wanted), members.ca) == "", phase.name


def test_the_apply_made_only_what_the_plan_named(environment: Environment, before: dict[str, set[str]]) -> None:
    """Every new file below /etc and /opt was named before the first run, or belongs to a package that was."""
    planned = set(json.loads(environment.home.joinpath("planned.json").read_text()))
    for host, lines in before.items():
        new = {f for f in files(state(environment.lab, host)) - files(lines) if f.startswith(("/etc/", "/opt/"))}
        unplanned = {f for f in new if not f.startswith(MADE_ON_HOSTS) and f not in planned}
        text = environment.lab.ssh(
            host, "dpkg -S -- $(cat) 2>/dev/null | sed 's/^[^/]*: //' || true", stdin=" ".join(sorted(unplanned)) or "/"
        )
        foreign = {f for f in unplanned - set(text.split()) if "rancherctl" in f or f.startswith("/opt/")}
        assert foreign == set()


def test_status_is_healthy_and_true(environment: Environment) -> None:
    found = until("status healthy", lambda: (s := run(environment, status)).healthy and s)
    assert found.leader == "h1"
    assert {h.name: h.ready for h in found.hosts} == {"h1": True, "h2": True}
    assert found.drift == ()
    assert all(c.days > 300 for c in found.hosts[0].certificates)
    environment.lab.ssh(
        "h2", "systemctl stop rancherctl-kube-proxy; echo '# by hand' >> /etc/rancherctl/kube-proxy.yaml"
    )
    found = run(environment, status)
    assert found.state == "degraded"
    assert "h2: rancherctl-kube-proxy is not running" in found.problems()
    assert any("kube-proxy.yaml" in line for line in found.drift)
    repaired = run(environment, apply)
    assert {(s.host, s.verb, s.name) for s in repaired.plan.steps()} == {
        ("h2", "change", "/etc/rancherctl/kube-proxy.yaml"),
        ("h2", "start", "rancherctl-kube-proxy.service"),
    }


def test_a_second_operator_gets_an_error_with_the_locks_holder(environment: Environment) -> None:
    wanted = load(environment.file.read_text()).environment
    with Connections() as connections:
        owner = lock_owner.Owner("alice@laptop", "another machine", 1, "")
        with (
            host_lock.HostLock([connections.transport(wanted.hosts[0])], owner, "applying environment x"),
            pytest.raises(LockedError, match="held by alice@laptop"),
        ):
            run(environment, apply)


def test_an_unreachable_worker_does_not_stop_the_others(environment: Environment) -> None:
    environment.lab.ssh("h1", "rm /etc/rancherctl/kube-proxy.yaml")
    environment.lab.cut("h2")
    try:
        applied = run(environment, apply)
    finally:
        environment.lab.heal("h2")
    assert set(applied.failures) == {"h2"}
    with pytest.raises(PartialError, match="1 of 2 hosts failed"):
        applied.raise_failures()
    assert environment.lab.ssh("h1", "ls /etc/rancherctl/kube-proxy.yaml")


def test_changes_that_an_environment_cannot_make_are_refused(environment: Environment) -> None:
    text = environment.file.read_text()
    for old, new in (
        ("spec:\n", "spec:\n  network: {podCIDR: 10.99.0.0/16}\n"),
        ("spec:\n", "spec:\n  dns: {domain: other.local}\n"),
    ):
        done = environment.rancherctl("env", "apply", "-f", "-", stdin=text.replace(old, new, 1))
        assert done.returncode == 5
        assert "cannot become" in done.stderr


def secured(environment: Environment) -> list[str]:
    """An Ingress with TLS on both hosts, without pods; returns its addresses."""
    environment.apply(
        workloads.tls_secret("default", "secure", SITE),
        workloads.service("default", "secure"),
        workloads.ingress("default", "secure", SECURE, "secure", scale="2", secret="secure"),
    )
    addresses = workloads.published(environment, "default", "secure", 2)
    assert [tls.serial(443, SECURE, address) for address in addresses] == [SITE.serial] * 2
    logged(environment, addresses[0])
    return addresses


def logged(environment: Environment, address: str) -> None:
    """A failed request is in the access log of the host; other users, the load balancer among them, cannot read it."""
    assert tls.answer(443, SECURE, path="/failed", address=address) == "503"
    host, log = environment.host_of(address), "/var/log/rancherctl/ingress/access.log"
    read = f"tail -n 1 {log}"
    record = until("the record", lambda: (r := json.loads(environment.ssh(host, read)))["path"] == "/failed" and r)
    assert (record["ingress"], record["status"], record["tls"]) == ("default/secure", 503, "TLSv1.3")
    assert environment.ssh(host, f"stat -c '%a %U' {log}").strip() == "640 rancherctl-log"
    assert "Permission denied" in environment.ssh(host, f"runuser -u rancherctl-lb -- cat {log} 2>&1 || true")


def removed(environment: Environment, before: dict[str, set[str]]) -> None:
    """Remove it through the command line; the hosts are as they were before."""
    environment.ok("env", "rm", environment.name, "--confirm", environment.name)
    for host, lines in before.items():
        after = state(environment.lab, host)
        assert after - lines == set(), f"left on {host}"
        assert lines - after == set(), f"gone from {host}"


def test_rm_leaves_nothing_after_pods_have_run(
    environment: Environment, before: dict[str, set[str]], measure: Measure
) -> None:
    """Nor of Ingresses and Services, published ones and those that were drained."""
    environment.ok("env", "apply", "-f", str(environment.file))
    hosts = [host.name for host in environment.lab.hosts()]
    environment.apply(*(workloads.pod("default", f"web-{host}", host) for host in hosts))
    environment.kubectl("wait", "pod", "--for=condition=Ready", "--timeout=120s", *(f"web-{host}" for host in hosts))
    secured(environment)
    published_and_drained(environment)
    for host in hosts:
        assert environment.ssh(host, "ls /var/lib/rancherctl/ingress/tls"), "rm must remove the key"
        assert environment.ssh(host, "ls /run/netns"), "containerd has created it: rm must remove it"
    refused = environment.rancherctl("env", "rm", NAME, "--no-input")
    assert refused.returncode == 2
    began = time.monotonic()
    removed(environment, before)
    measure("env rm, 2 hosts, and a look at all their files", time.monotonic() - began, "s")


def test_the_same_hosts_take_another_environment(
    environment: Environment, before: dict[str, set[str]], tmp_path: Path, measure: Measure
) -> None:
    """The audit log of the first environment is still there: the next API server appends to it."""
    first = environment.ssh("h1", f"stat -c %U {AUDIT}; head -n 1 {AUDIT}")
    assert first.startswith('root\n{"kind":"Event"')
    other = make(f"{NAME}b", environment.lab, tmp_path, ingress={"tls": {"keysOnDisk": False}})
    planned = run(other, plan)
    assert any(s.line() == "install package haproxy" for s in planned.steps())
    began = time.monotonic()
    other.ok("env", "create", "-f", str(other.file))
    measure("env create on hosts of a removed environment, 2 hosts", time.monotonic() - began, "s")
    status_now = other.rancherctl("env", "status", other.name)
    assert status_now.returncode == 0, f"right after the apply:\n{status_now.stdout}{status_now.stderr}"
    assert environment.ssh("h1", f"stat -c %U {AUDIT}; head -n 1 {AUDIT}") == first.replace(
        "root", "rancherctl-kube", 1
    )
    serves_after_a_reboot_without_the_api(other, measure)
    removed(other, before)


def serves_after_a_reboot_without_the_api(other: Environment, measure: Measure) -> None:
    """Keys are in memory only: HTTP answers on the rebooted host, HTTPS when the API does."""
    secured(other)
    first, second = (other.lab.host(name).address for name in ("h1", "h2"))
    assert "tls" not in other.ssh("h2", "ls /var/lib/rancherctl/ingress").split()
    assert other.ssh("h2", f"stat -f -c %T {KEYS}").strip() == "tmpfs"
    assert other.ssh("h2", f"stat -c '%a %U %G' {KEYS}").strip() == "750 root rancherctl-lb"
    assert other.ssh("h2", f"stat -c '%a %U %G' {KEYS}/*.pem").strip() == "640 root rancherctl-lb"
    other.ssh("h1", "systemctl stop rancherctl-kube-apiserver")
    try:
        other.lab.reboot("h2")
        up = time.monotonic()
        until("HTTP", lambda: curl(second, SECURE)[0] == 503, pause=0.02)
        measure("rebooted without API and keys, HTTP answers after ssh does", time.monotonic() - up, "s")
        assert tls.serial(443, SECURE, second) == "TLSV1_UNRECOGNIZED_NAME"
        assert tls.serial(443, SECURE, first) == SITE.serial, "a host that was not rebooted has the key"
    finally:
        other.ssh("h1", "systemctl start rancherctl-kube-apiserver")
    until("HTTPS", lambda: tls.serial(443, SECURE, second) == SITE.serial)

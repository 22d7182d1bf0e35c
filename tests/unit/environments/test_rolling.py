"""Control-plane members are changed one at a time, while enough others serve: three control-plane hosts, all fakes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.environments import preflight, reconcile
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import ObservedHost, ObservedHosts
from rancherctl.environments.phase_names import HOST_PHASES, PhaseName
from rancherctl.environments.phases import PHASES
from rancherctl.environments.phases.control_plane import CONTROL_PLANE
from rancherctl.environments.phases.etcd import ETCD
from rancherctl.environments.phases.nodes import NODES
from rancherctl.environments.phases.rolling import Members, RollingResources
from rancherctl.environments.pki.wanted import CertificateFolder
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.preflight import Checked
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import LockedError, PreflightError, RancherctlError, RefusedError, UnreachableError
from rancherctl.hosts import host_lock
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.model import File, Host, Resource, Unit, key
from rancherctl.hosts.state import ObservedResources, state

_FLAT = from_flags("demo", [f"root@10.0.0.{n}" for n in range(11, 16)]).environment
ENV = replace(
    _FLAT,
    hosts=tuple(
        replace(h, roles=frozenset({"etcd", "controlplane"}) if n < 3 else frozenset({"worker"}))
        for n, h in enumerate(_FLAT.hosts)
    ),
)
NO_PLAN = PhasePlan("etcd", "", ())


class Hosts:
    """What happens to the members: which are changed, when they are checked, and what the checks find."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, unhealthy: Iterable[str] = (), broken: Iterable[str] = ()
    ) -> None:
        self.events: list[str] = []
        self.unhealthy, self.broken = set(unhealthy), set(broken)
        monkeypatch.setattr(RollingResources, "apply_to", self._apply)
        monkeypatch.setattr("rancherctl.environments.member_health.problem", self._problem)

    def _apply(self, run: EnvironmentRun, host: Host) -> None:
        self.events.append(f"change {host.name}")
        if host.name in self.broken:
            self.unhealthy.add(host.name)

    def _problem(self, transport: Host, url: str, ca: str) -> str:
        self.events.append(f"check {transport.name}")
        return "connection refused" if transport.name in self.unhealthy else ""

    def changed(self) -> list[str]:
        return [event.removeprefix("change ") for event in self.events if event.startswith("change ")]


def run(active: Iterable[str], unit: str, phase: PhaseName, lost: Iterable[str] = ()) -> EnvironmentRun:
    """A run in which every host has something to change in ``phase``, and ``unit`` is active on some."""
    found = {}
    for host in ENV.hosts:
        if host.name in lost:
            continue
        name = f"rancherctl-{unit}.service"
        wanted = (File("/etc/new", b"new"), Unit(name))
        design: dict[PhaseName, tuple[Resource, ...]] = {each: wanted if each == phase else () for each in HOST_PHASES}
        active_now = "yes" if host.name in active else "no"
        states = {
            key(Unit(name)): state("unit", name, active=active_now, enabled="yes", started_with="", loaded_with="")
        }
        found[host.name] = ObservedHost(
            host, MachineFacts(), design, ObservedResources(states), CertificateFolder({}, {})
        )
    failures = {name: UnreachableError(f"{name}: no answer") for name in lost}
    nothing = Bundle(Path(), manifest(ENV.kubernetes, "", "", ()))
    return EnvironmentRun(ENV, Context(lambda host: host, nothing), ObservedHosts(found, failures))  # type: ignore[arg-type, return-value]


def quick(phase: RollingResources) -> RollingResources:
    return replace(phase, healthy_seconds=0.0)


def test_phases_that_restart_members_are_rolling() -> None:
    assert [phase.name for phase in PHASES if phase.rolling] == ["etcd", "control-plane", "nodes"]


def test_etcd_members_are_changed_one_at_a_time_each_checked_before_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch)
    ETCD.apply(run(["h1", "h2", "h3"], "etcd", "etcd"), NO_PLAN)
    assert hosts.events[:4] == ["check h2", "check h3", "change h1", "check h1"]
    assert hosts.events[4:8] == ["check h1", "check h3", "change h2", "check h2"]
    assert sorted(hosts.changed()[3:]) == ["h4", "h5"], "hosts without a member follow"


def test_a_new_cluster_starts_all_members_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single new etcd member never becomes healthy: it waits for the others."""
    hosts = Hosts(monkeypatch)
    ETCD.apply(run([], "etcd", "etcd"), NO_PLAN)
    assert sorted(hosts.events) == [f"change h{n}" for n in range(1, 6)]


def test_members_that_are_down_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch)
    ETCD.apply(run(["h1", "h3"], "etcd", "etcd"), NO_PLAN)
    assert hosts.changed()[:3] == ["h2", "h1", "h3"]


def test_etcd_is_not_changed_if_the_quorum_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch, unhealthy=["h3"])
    with pytest.raises(RefusedError, match="1 of 2 other members are healthy and 2 must serve") as caught:
        ETCD.apply(run(["h1", "h2", "h3"], "etcd", "etcd"), NO_PLAN)
    assert caught.value.why == "h3: connection refused"
    assert hosts.changed() == []


def test_api_servers_are_changed_although_one_host_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """One API server is enough to serve; a dead host must not block changes of the others."""
    hosts = Hosts(monkeypatch)
    CONTROL_PLANE.apply(run(["h1", "h2"], "kube-apiserver", "control-plane", lost=["h3"]), NO_PLAN)
    assert hosts.changed()[:2] == ["h1", "h2"]


def test_a_member_that_does_not_recover_ends_the_run_before_the_next_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = Hosts(monkeypatch, broken=["h1"])
    with pytest.raises(RancherctlError, match="h1: kube-apiserver is not healthy 0 s after its change") as caught:
        quick(CONTROL_PLANE).apply(run(["h1", "h2", "h3"], "kube-apiserver", "control-plane"), NO_PLAN)
    assert caught.value.why == "connection refused"
    assert hosts.changed() == ["h1"]


def test_in_a_phase_that_is_not_critical_the_remaining_members_drop_out(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch, broken=["h1"])
    current = run(["h1", "h2", "h3"], "api-balancer", "nodes")
    quick(NODES).apply(current, NO_PLAN)
    assert set(current.failures) == {"h1", "h2", "h3"}
    assert str(current.failures["h2"]) == "h2: left unchanged, because api-balancer on h1 failed"
    assert sorted(hosts.changed()) == ["h1", "h4", "h5"]


def test_a_single_member_is_changed_together_with_the_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch)
    current = run(["h1"], "etcd", "etcd")
    single = tuple(replace(h, roles=frozenset({"worker"})) if h.name in ("h2", "h3") else h for h in ENV.hosts)
    current.environment = replace(ENV, hosts=single)
    ETCD.apply(current, NO_PLAN)
    assert sorted(hosts.events) == [f"change h{n}" for n in range(1, 6)]


@pytest.mark.parametrize(("lost", "refused"), [(["h3"], False), (["h2", "h3"], True), (["h1", "h2", "h3"], True)])
def test_nothing_is_decided_without_a_majority_of_the_control_plane(
    lost: list[str], refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = {name: UnreachableError(f"{name}: no answer") for name in lost}
    monkeypatch.setattr(reconcile, "observe", lambda *_: ObservedHosts({}))
    monkeypatch.setattr(EnvironmentRun, "api_answers", lambda _run: True)
    context = Context(lambda _: None, None)  # type: ignore[arg-type, return-value]
    if refused:
        with pytest.raises(UnreachableError, match="no answer"):
            reconcile._observed(ENV, context, Checked({}, {}, failures))
    else:
        assert set(reconcile._observed(ENV, context, Checked({}, {}, failures)).failures) == {"h3"}


@pytest.mark.parametrize("lost", [["h1"], ["h1", "h2"]])
def test_an_environment_exists_if_a_majority_of_its_control_plane_says_so(
    lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_facts(host: Host) -> HostFacts:
        if host.name in lost:
            raise UnreachableError(f"{host.name}: no answer")
        return HostFacts(marker={"environment": "demo", "host": host.name})

    monkeypatch.setattr("rancherctl.hosts.facts.read_facts", read_facts)
    monkeypatch.setattr("rancherctl.environments.host_checks.problems", lambda *_: [])
    nothing = Bundle(Path(), manifest(ENV.kubernetes, "", "", ()))
    context = Context(lambda host: host, nothing)  # type: ignore[arg-type, return-value]
    if len(lost) == 1:
        assert set(preflight.preflight(ENV, context).failures) == {"h1"}
    else:
        with pytest.raises((PreflightError, UnreachableError), match="h1"):
            preflight.preflight(ENV, context)


def test_members_of_a_lost_host_are_unhealthy_without_being_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch)
    current = run(["h1", "h2"], "etcd", "etcd", lost=["h3"])
    members = Members("etcd", "etcd", lambda _environment: "")
    assert members.problem(current, ENV.hosts[2]) == "h3: no answer"
    assert hosts.events == []


def test_an_apply_locks_a_majority_of_the_control_plane_hosts_and_only_those(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], bool]] = []

    def lock(hosts: list[Host], owner: object, reason: str, *, majority: bool) -> None:
        asked.append(([host.name for host in hosts], majority))
        raise LockedError("held by ann")

    monkeypatch.setattr(reconcile, "preflight", lambda *_: Checked({}, {}))
    monkeypatch.setattr(host_lock, "HostLock", lock)
    with pytest.raises(LockedError, match="held by ann"):
        reconcile.apply(ENV, Context(lambda host: host, None))  # type: ignore[arg-type, return-value]
    assert asked == [(["h1", "h2", "h3"], True)]

"""Removing an environment: rules that lead to chains of ours, what stays until the end, and when to stop."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rancherctl.agents.install import host_resources
from rancherctl.bundle.model import Artefact, Bundle, Manifest, manifest
from rancherctl.environments import remove, remove_look
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.context import Context
from rancherctl.environments.design import design
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import everything
from rancherctl.environments.removal import remote
from rancherctl.errors import AuthError, ConflictError, PartialError, RancherctlError, UnreachableError
from rancherctl.events import Event
from rancherctl.hosts.command import Command
from rancherctl.hosts.fact_values import UnitFact
from rancherctl.hosts.facts import HostFacts
from rancherctl.hosts.model import Artefact as Upload
from rancherctl.hosts.model import Directory, File, Link, Resource, Unit, User
from rancherctl.hosts.remote import lock
from rancherctl.hosts.state import ObservedResources, state
from rancherctl.hosts.transport import Transport
from tests.fakes.transport import FakeTransport

SAVED = """*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:MINE - [0:0]
-A PREROUTING -s 10.0.0.0/8 -j MINE
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m comment --comment "not -j KUBE-SERVICES \\" -j KUBE-SERVICES" -j MINE
-A OUTPUT -m comment --comment "o\\'clock $(reboot)" -j KUBE-SERVICES -m statistic
-A PREROUTING -j KUBE-SERVICES
COMMIT
"""


def test_rules_are_told_by_their_target_and_numbered_from_the_last() -> None:
    assert remote.jumps(SAVED, "KUBE-SERVICES") == [("PREROUTING", "4"), ("OUTPUT", "1"), ("PREROUTING", "2")]
    assert remote.jumps(SAVED, "KUBE") == []


def test_chains_are_emptied_before_they_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def run(*words: str) -> tuple[int, str]:
        ran.append(words)
        return 0, SAVED if words[0] == "iptables-save" else ""

    monkeypatch.setattr(remote, "run", run)
    remote.clear_chains({})
    base = ("iptables", "-w", "5", "-t", "nat")
    assert [words for words in ran if words[0] == "iptables"] == [
        (*base, "-D", "PREROUTING", "4"),
        (*base, "-D", "OUTPUT", "1"),
        (*base, "-D", "PREROUTING", "2"),
        (*base, "-F", "KUBE-SERVICES"),
        (*base, "-X", "KUBE-SERVICES"),
    ]


PORTS = """*nat
:PREROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-0123456789abcdef - [0:0]
:KUBE-MARK-MASQ - [0:0]
:CNI-OTHERS - [0:0]
COMMIT
"""


@pytest.mark.parametrize(
    ("before", "gone"),
    [
        ({"chains": []}, {"CNI-HOSTPORT-DNAT", "CNI-DN-0123456789abcdef", "KUBE-MARK-MASQ"}),
        ({"chains": ["iptables nat CNI-HOSTPORT-DNAT"]}, {"CNI-DN-0123456789abcdef", "KUBE-MARK-MASQ"}),
        ({"nft": []}, {"CNI-HOSTPORT-DNAT", "CNI-DN-0123456789abcdef", "KUBE-MARK-MASQ"}),
        ({}, {"KUBE-MARK-MASQ"}),
    ],
)
def test_host_ports_of_pods_go_and_those_of_others_stay(
    monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], gone: set[str]
) -> None:
    """Their rules would go on taking the host's ports for pods that are no more."""
    monkeypatch.setattr(remote, "run", lambda *words: (0, PORTS if words[0] == "iptables-save" else ""))
    assert {chain for _, _, chain in remote.chains(before)} == gone


@pytest.mark.parametrize(
    ("before", "ours"),
    [
        ({"nft": []}, {"ip cni_hostport", "ip nat", "inet rancherctl_network"}),
        ({"nft": ["ip cni_hostport", "ip nat"]}, {"inet rancherctl_network"}),
        ({}, {"inet rancherctl_network"}),
    ],
)
def test_tables_are_ours_by_name_or_by_what_was_there_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], ours: set[str]
) -> None:
    empty = json.dumps({"nftables": [{"metainfo": {}}, {"table": {}}, {"chain": {}}]})
    monkeypatch.setattr(remote, "run", lambda *words: (0, empty))
    request = {"path": str(tmp_path / "gone"), "tables": ["rancherctl_network"], "before": before}
    assert {
        name
        for name in ("ip cni_hostport", "ip nat", "ip docker", "inet rancherctl_network")
        if remote.ours(request, name)
    } == ours


def test_the_lock_stays_on_a_control_plane_host_until_it_is_given_back() -> None:
    """It is renewed while hosts are cleared: a folder that was removed would be there again, and would count as left over."""
    environment = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
    boss, worker = environment.hosts
    assert lock.FOLDER == remove.LOCKS
    assert remove.LOCKS in remove.paths(worker)
    assert remove.LOCKS not in remove.paths(boss)
    assert remove.LOCKS not in remove.request(environment, boss, "left")["paths"]
    assert remove.paths(boss)[-1] == "/var/lib/rancherctl"


def test_nothing_more_is_removed_where_the_kernel_keeps_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tools that show it, and could remove it at the next try, are in packages that would go next."""
    environment = from_flags("demo", ["root@10.0.0.11"]).environment
    asked: list[str] = []

    def call(_transport: object, request: dict[str, object], **_: object) -> dict[str, object]:
        asked.append(str(request["op"]))
        return {"left": ["nft table ip kube-proxy", "path /etc/rancherctl", "cgroup /sys/fs/cgroup/kubepods"]}

    def taken(_transport: object, _emit: object, **what: object) -> tuple[str, ...]:
        asked.append(" ".join(what))
        return ()

    monkeypatch.setattr("rancherctl.hosts.remote_call.call", call)
    monkeypatch.setattr(remove, "remove_resources", taken)
    context = Context(lambda _: FakeTransport(tmp_path), Bundle(tmp_path, Manifest("1.36.3", "amd64", "directory", ())))
    _, left = remove._clear(environment, environment.hosts[0], context)
    assert left == ("nft table ip kube-proxy",)
    assert asked == ["units", "units", "units", "clear"]


class Stand:
    """A host that answers what ``env rm`` asks: its facts, and whether anything of ours is there. All else is noted in ``did``."""

    def __init__(self, name: str, facts: HostFacts | RancherctlError, *, ours: bool = True) -> None:
        self.name, self.facts, self.ours, self.fails = name, facts, ours, ""
        self.did: list[str] = []

    def run(self, command: Command) -> None:
        self.did.append(f"{command.argv[2].split()[-3]} {command.argv[-1]}")


def machines(monkeypatch: pytest.MonkeyPatch, *found: Stand) -> Context:
    """A context in which ``env rm`` meets these hosts."""

    def read_facts(machine: Stand) -> HostFacts:
        if isinstance(machine.facts, RancherctlError):
            raise machine.facts
        return machine.facts

    def call(machine: Stand, request: dict[str, Any], **_: object) -> dict[str, Any]:
        machine.did.append(str(request["op"]))
        if request["op"] == machine.fails:
            raise UnreachableError(f"{machine.name}: cut")
        return {"left": [], "before": {}}

    def observed(machine: Stand, resources: list[Resource]) -> ObservedResources:
        return ObservedResources({"x": state("absent", "/opt/rancherctl")} if machine.ours else {})

    by_name = {machine.name: machine for machine in found}
    monkeypatch.setattr("rancherctl.hosts.facts.read_facts", read_facts)
    monkeypatch.setattr(remove, "observe", observed)
    monkeypatch.setattr("rancherctl.hosts.remote_call.call", call)
    monkeypatch.setattr(
        remove, "remove_resources", lambda machine, emit, **what: emit(Event("remove", "x", machine.name)) or ("thing",)
    )
    monkeypatch.setattr(
        remove.host_lock, "HostLock", lambda *args: nullcontext(SimpleNamespace(verify=lambda: None, left_behind=""))
    )
    nothing = Bundle(Path(), Manifest("1.36.3", "amd64", "directory", ()))
    return Context(
        lambda host: cast("Transport", by_name[host.name]), nothing, emit=lambda event: TOLD.append(event.message)
    )


TOLD: list[str] = []
DEMO = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
OWNED = HostFacts(marker={"environment": "demo"})
BUSY = HostFacts(
    marker={}, units={"kubelet": UnitFact("active", "enabled"), "containerd": UnitFact("active", "enabled")}
)


def test_a_host_that_others_use_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in the file must not cost somebody's pods."""
    ours, theirs = Stand("h1", OWNED), Stand("h2", BUSY, ours=False)
    TOLD.clear()
    removed = remove.remove(DEMO, machines(monkeypatch, ours, theirs))
    assert theirs.did == []
    assert removed.skipped == ("h2",)
    assert set(removed.done) == {"h1"}
    assert any("kubelet.service is running: left alone" in message for message in TOLD)


def test_a_host_on_which_a_first_apply_was_cut_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    cut, clean = Stand("h1", BUSY), Stand("h2", HostFacts(marker={}), ours=False)
    removed = remove.remove(DEMO, machines(monkeypatch, cut, clean))
    assert set(removed.done) == {"h1", "h2"}
    assert cut.did == ["clear", "folders", "-R /var/log/rancherctl", "folders", "left", "unlocked"]


def test_what_all_hosts_answer_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [Stand(name, UnreachableError(f"{name}: cannot connect")) for name in ("h1", "h2")]
    with pytest.raises(UnreachableError, match="nothing was removed") as caught:
        remove.remove(DEMO, machines(monkeypatch, *away))
    assert "h1: cannot connect; h2: cannot connect" in caught.value.why
    with pytest.raises(PartialError):
        remove.remove(DEMO, machines(monkeypatch, away[0], Stand("h2", AuthError("h2: login refused"))))


def test_a_control_plane_host_that_is_cut_at_the_end_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    boss = Stand("h1", OWNED)
    boss.fails = "unlocked"
    with pytest.raises(PartialError) as caught:
        remove.remove(DEMO, machines(monkeypatch, boss, Stand("h2", OWNED)))
    assert caught.value.failures == {"h1": "h1: cut"}


class Asked(Stand):
    """A host that only tells what is there."""

    def run(self, command: Command) -> Any:  # type: ignore[override]
        self.did.append("read")
        return SimpleNamespace(stdout=b"Welcome!\n\n" + (b'{"packages": ["haproxy"]}\n' if self.ours else b""))


def test_a_dry_run_tells_what_is_there_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, away, theirs = (
        Asked("h1", OWNED),
        Asked("h2", UnreachableError("h2: no answer")),
        Asked("h3", BUSY, ours=False),
    )
    environment = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12", "root@10.0.0.13"]).environment
    context = machines(monkeypatch, ours, away, theirs)
    monkeypatch.setattr(
        "rancherctl.hosts.remote_call.call", lambda *_, **__: {"left": ["unit rancherctl-agent.service"]}
    )
    found = remove_look.look(environment, context)
    assert found.present == {"h1": ("unit rancherctl-agent.service", "package haproxy")}
    assert found.unknown == {"h2": "h2: no answer"}
    assert found.skipped == ("h3",)
    assert ours.did == ["read"]
    with pytest.raises(ConflictError, match="belongs to 'prod'"):
        remove_look.look(
            DEMO, machines(monkeypatch, Asked("h1", HostFacts(marker={"environment": "prod"})), Asked("h2", OWNED))
        )


def test_ctrl_c_ends_the_work_of_hosts_at_their_next_event(monkeypatch: pytest.MonkeyPatch) -> None:
    context, interrupted = remove._interruptible(machines(monkeypatch))
    context.emit(Event("remove", "x"))
    interrupted()
    with pytest.raises(RancherctlError, match="interrupted"):
        context.emit(Event("remove", "x"))


def test_the_kernel_is_told_of_a_profile_that_was_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = tmp_path / "etc/apparmor.d/local/usr.sbin.named"
    local.parent.mkdir(parents=True)
    local.write_text("ours")
    before = tmp_path / "before.json"
    before.write_text(json.dumps({"files": {str(local): "theirs"}}))
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(remote, "run", lambda *words: ran.append(words) or (0, ""))
    for _ in range(2):
        remote.restore({"path": str(before)})
    assert local.read_text() == "theirs"
    assert ran == [("apparmor_parser", "-r", str(tmp_path / "etc/apparmor.d/usr.sbin.named"))]


def test_everything_that_an_apply_puts_on_a_host_is_taken_away_again() -> None:
    """What the design of a host names is below a path that goes, or is a unit's file, or is put back as it was."""
    binaries = [Artefact("cni", "1.9.1", name, "0" * 64, 1, 0o755, "binary", "amd64") for name in remove.CNI_PLUGINS]
    image = Artefact("images", "1.0", "pause", "0" * 64, 1, 0o644, "image", "amd64", "rancherctl.io/pause:1.0")
    bundle = Bundle(Path("/b"), manifest("1.36.3", "amd64", "official", [*binaries, image]))
    folders = {*remove.FOLDERS, "/etc/cni/net.d"}
    for environment in (
        DEMO,
        from_flags("demo", ["10.0.0.11=etcd", "10.0.0.12=controlplane", "10.0.0.13"]).environment,
    ):
        for host in environment.hosts:
            gone = (*remove.paths(host), *remove.EMPTIED)
            wanted = everything(design(environment, host, MachineFacts(), bundle, host_resources))
            places = {r.path for r in wanted if isinstance(r, (File, Directory, Link, Upload))}
            left = {
                place
                for place in places - folders
                if not any(place == path or place.startswith(f"{path}/") for path in gone)
            }
            assert {
                place for place in left if not place.startswith(("/etc/systemd/system/rancherctl-", remove.places.LOG))
            } == {remove.APPARMOR}
            assert all(r.name.startswith("rancherctl-") for r in wanted if isinstance(r, (Unit, User)))

"""What the services role asks nft for: few commands, however many Services and ports there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rancherctl.contract import MOVING_KEY, NAMESPACE, ROSTER_NAME
from rancherctl.hosts.command import Command, Result
from rancherctl.hosts.local import LocalTransport
from rancherctl.kube import objects
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.services import moving, proxy_rules
from rancherctl.services.model import Port
from rancherctl.services.reconcile import CHECK_SECONDS, ServicesRole
from rancherctl.services.report import parse_sections, pod_ports
from tests.fakes import services as fake

ADDRESS = "10.0.0.1"
MAX_ARGUMENT = 131_072
"""MAX_ARG_STRLEN of Linux: execve refuses a longer argument."""


def snapshot(services: Iterable[objects.Service], *roster: objects.ConfigMap) -> Snapshot:
    """What the API has: these Services, and the roster's ConfigMap if it is there."""
    tables: dict[str, Mapping[str, object]] = {
        "services": {s.meta.key: s for s in services},
        "endpointslices": {},
        "roster": {m.meta.key: m for m in roster},
        "pods": {},
    }
    return Snapshot({name: Table(items, synced=True) for name, items in tables.items()})


class Nft(LocalTransport):
    """Answers like nft with these ports of ADDRESS in its maps."""

    def __init__(self, served: Iterable[Port], empty: Iterable[Port] = ()) -> None:
        super().__init__("h1")
        self.maps = dict(zip(proxy_rules.MAPS, (set(served), set(empty)), strict=True))
        self.commands: list[tuple[str, ...]] = []

    def run(self, command: Command, *, check: bool = True) -> Result:
        argv = tuple(map(str, command.argv))
        assert max(map(len, argv)) < MAX_ARGUMENT
        self.commands.append(argv)
        if "list" in argv:
            elements = [
                [{"concat": [ADDRESS, protocol, port]}, {"drop": None}]
                for protocol, port in sorted(self.maps.get(argv[-1], ()))
            ]
            return Result(command, 0, json.dumps({"nftables": [{"map": {"elem": elements}}]}).encode(), b"")
        keys = [each.split(" . ") for each in argv[-1].strip("{} ").split(", ")]
        found = all((protocol, int(port)) in self.maps[argv[-2]] for _, protocol, port in keys)
        return Result(command, 0 if found else 1, b"", b"")


def programmed(nft: Nft, *services: objects.Service) -> set[str]:
    role = ServicesRole("h1", (ADDRESS,), nft)
    return set(role._programmed({s.meta.key: s for s in services}))


def services_of(count: int, ports: int) -> tuple[list[objects.Service], list[Port]]:
    every = [("tcp", n) for n in range(1, count * ports + 1)]
    services = [
        fake.service(f"s{n}", *every[n * ports : (n + 1) * ports], status=fake.published(ADDRESS)) for n in range(count)
    ]
    return services, every


def test_very_many_ports_fit_the_longest_argument_of_a_program() -> None:
    services, every = services_of(100, 100)
    assert len(programmed(Nft(every), *services)) == 100


def test_some_missing_services_cost_a_few_commands() -> None:
    services, every = services_of(1000, 5)
    nft = Nft(every[:4000], empty=every[4000:4500])
    assert programmed(nft, *services) == {f"default/s{n}" for n in range(900)}
    assert len(nft.commands) <= 10


def test_a_service_may_have_ports_with_and_without_endpoints() -> None:
    service = fake.service("a", ("tcp", 80), ("udp", 81), status=fake.published(ADDRESS))
    assert programmed(Nft([("tcp", 80)], [("udp", 81)]), service) == {"default/a"}
    assert programmed(Nft([("tcp", 80)]), service) == set()


def test_listed_elements() -> None:
    text = (
        '{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"map": {"family": "ip", "name": "service-ips", "elem": ['
        '[{"concat": ["10.0.0.1", "udp", 53]}, {"drop": null}],'
        ' [{"elem": {"val": {"concat": ["10.0.0.1", "tcp", 80]}, "comment": "a"}}, {"drop": null}],'
        ' [{"concat": ["10.0.0.2", 6, 81]}, {"drop": null}]]}}]}'
    )
    assert proxy_rules.listed(text, "10.0.0.1") == {("udp", 53), ("tcp", 80)}
    assert proxy_rules.listed(text, "10.0.0.2") == {("tcp", 81)}
    assert proxy_rules.listed('{"nftables": [{"map": {"name": "service-ips"}}]}', "10.0.0.1") == set()
    assert proxy_rules.listed("half {", "10.0.0.1") == set()


def test_a_role_that_fails_goes_on_to_report_the_ports_of_pods(tmp_path: Path) -> None:
    """Else the leader would let Ingresses back onto a port whose traffic goes to a pod."""
    pod = {
        "metadata": {"name": "p", "namespace": "x"},
        "spec": {"nodeName": "h1", "containers": [{"ports": [{"containerPort": 1, "hostPort": 80}]}]},
        "status": {"phase": "Running"},
    }
    pods = Table({"x/p": objects.pod(pod)}, synced=True)
    role = ServicesRole("h1", (ADDRESS,), Nft([]), proc=tmp_path, proxy=lambda: "")  # no /proc/sys here
    section = role.reconcile(Snapshot({"pods": pods}))
    data = {"report": json.dumps({"sections": {"services": section}})}
    parsed = parse_sections(data)
    assert not parsed.reported
    assert "FileNotFoundError" in parsed.error
    assert pod_ports(data) == {80: "hostPort of pod x/p"}
    first = role.resync
    assert first < ServicesRole.resync
    role.reconcile(Snapshot({"pods": pods}))
    assert role.resync >= first / 2


class Bare(Nft):
    """A host without our table."""

    def run(self, command: Command, *, check: bool = True) -> Result:
        if "table" in command.argv:
            self.commands.append(tuple(map(str, command.argv)))
            return Result(command, 1, b"", b"")
        return super().run(command, check=check)


def test_nftables_is_read_again_when_the_kernel_tells_of_a_change_or_after_some_seconds(tmp_path: Path) -> None:
    (tmp_path / "sys/net/ipv4").mkdir(parents=True)
    (tmp_path / "sys/net/ipv4/ip_local_port_range").write_text("32768\t60999\n")
    service = fake.service("a", status=fake.published(ADDRESS))
    nft, time = Bare([("tcp", 5432)]), [100.0]
    role = ServicesRole("h1", (ADDRESS,), nft, proc=tmp_path, proxy=lambda: "", clock=lambda: time[0])
    state = snapshot([service])

    def asked() -> int:
        before = len(nft.commands)
        assert set(role.reconcile(state)["programmed"]) == {"default/a"}
        return len(nft.commands) - before

    role.start(lambda: None)
    try:
        assert asked() > 0
        role._changed.clear()  # real changes on this machine are not meant
        assert asked() == 0
        role._concerns(b"kube-proxy\x00service-ips\x00")
        assert asked() > 0
        role._changed.clear()
        time[0] += CHECK_SECONDS
        assert asked() > 0
    finally:
        role.stop()
    assert asked() > 0, "the kernel reports nothing"


class Loads(Bare):
    """Has our table once it was loaded."""

    def run(self, command: Command, *, check: bool = True) -> Result:
        if command.argv[:2] == ("nft", "-f"):
            self.commands.append(tuple(map(str, command.argv)))
            return Result(command, 0, b"", b"")
        return super().run(command, check=check)


def test_what_the_leader_waits_for_is_reported_before_kube_proxy_is_asked(tmp_path: Path) -> None:
    """The next call, which follows at once, asks it; until then its last answer counts."""
    (tmp_path / "sys/net/ipv4").mkdir(parents=True)
    (tmp_path / "sys/net/ipv4/ip_local_port_range").write_text("32768\t60999\n")
    old, new = fake.service("old", status=fake.published(ADDRESS)), fake.service("new", ("tcp", 81))
    stored = objects.config_map(
        {
            "metadata": {"name": ROSTER_NAME, "namespace": NAMESPACE},
            "data": {ROSTER_NAME: fake.roster(1).to_json(), MOVING_KEY: moving.to_json([(new.meta.key, "h1")])},
        }
    )
    nft = Loads([("tcp", 5432)])
    role = ServicesRole("h1", (ADDRESS,), nft, proc=tmp_path, proxy=lambda: "")

    def report(*maps: objects.ConfigMap) -> tuple[dict[str, str], dict[str, str], bool]:
        before = len(nft.commands)
        section = role.reconcile(snapshot([old, new], *maps))
        asked = any("kube-proxy" in argv for argv in nft.commands[before:])
        return section["programmed"], section["prepared"], asked

    programmed, prepared, asked = report()
    assert (set(programmed), prepared, asked) == ({"default/old"}, {}, True)
    programmed, prepared, asked = report(stored)
    assert (set(programmed), set(prepared), asked) == ({"default/old"}, {"default/new"}, False)
    assert role.resync == 0
    programmed, prepared, asked = report(stored)
    assert (set(programmed), set(prepared), asked) == ({"default/old"}, {"default/new"}, True)
    assert role.resync > 0

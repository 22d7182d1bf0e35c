"""The dns role against a real named on loopback: what it answers, what it survives."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from rancherctl.dns import apply, host, observe
from rancherctl.dns.client import Channel
from rancherctl.dns.reconcile import DnsRole
from rancherctl.dns.store import Store
from rancherctl.dns.sync import CHECK
from rancherctl.errors import RancherctlError
from rancherctl.kube.snapshot import Snapshot
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, pod, service
from tests.fakes.named import Named


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Named]:
    server = Named(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def role(named: Named) -> Iterator[DnsRole]:
    role = DnsRole(named.config, named, probe=False)
    yield role
    role.stop()


@pytest.fixture
def world() -> World:
    world = World()
    web, db, kube = "web", "mongodb", "kubernetes"
    world.add(
        service(kube, "10.43.0.1", ports=[("https", "TCP", 443)]),
        service(web, "None", ports=[("http", "TCP", 80)]),
        endpoint_slice(web, [endpoint("10.42.1.5"), endpoint("10.42.2.5")], ports=[("http", "TCP", 8080)]),
        service(db, "10.43.7.7", ports=[("mongo", "TCP", 27017)]),
        endpoint_slice(
            db,
            [endpoint("10.42.1.9", hostname="mdb-0"), endpoint("10.42.2.9", hostname="mdb-1")],
            ports=[("mongo", "TCP", 27017)],
        ),
        service("ext", type="ExternalName", externalName="kubernetes.default.svc.cluster.local"),
        service("loop", type="ExternalName", externalName="loop.default.svc.cluster.local"),
        pod("p1", "10.42.1.5"),
    )
    return world


def ask(server: Named, name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
    call = dns.query.tcp if tcp else dns.query.udp
    return call(query, "127.0.0.1", timeout=60, port=server.config.port)


def values(answer: dns.message.Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)


def addresses(server: Named, name: str, kind: str = "A") -> list[str]:
    return values(ask(server, name, kind))


def soon(server: Named, name: str, kind: str = "A", limit: float = 60.0) -> list[str]:
    """What is answered once the zone is loaded: a server that has just started fails questions for a moment, and never denies."""
    deadline = time.monotonic() + limit
    while True:
        answer = ask(server, name, kind)
        if answer.rcode() != dns.rcode.SERVFAIL or time.monotonic() > deadline:
            assert answer.rcode() == dns.rcode.NOERROR
            return values(answer)
        time.sleep(0.01)


def settle(
    role: DnsRole, snapshot: Snapshot, done: Callable[[], bool] | None = None, limit: float = 60.0
) -> dict[str, object]:
    """Reconcile as the agent's loop does, until the section says synced (or ``done``)."""
    deadline = time.monotonic() + limit
    while True:
        section = dict(role.reconcile(snapshot))
        if done() if done else section["synced"]:
            return section
        assert time.monotonic() < deadline, section
        time.sleep(min(role.resync, 0.2))


def test_before_the_first_sync_a_name_fails_and_is_not_denied(named: Named, role: DnsRole, world: World) -> None:
    section = role.reconcile(world.snapshot(synced=False))
    assert not section["synced"]
    assert ask(named, "kubernetes.default.svc.cluster.local").rcode() == dns.rcode.SERVFAIL
    settle(role, world.snapshot())
    assert addresses(named, "kubernetes.default.svc.cluster.local") == ["10.43.0.1"]
    assert named.starts == 1


def test_answers(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    assert addresses(named, "mongodb.default.svc.cluster.local") == ["10.43.7.7"]
    assert addresses(named, "mdb-0.mongodb.default.svc.cluster.local") == ["10.42.1.9"]
    assert addresses(named, "MDB-1.MongoDB.default.svc.Cluster.Local") == ["10.42.2.9"]
    assert addresses(named, "web.default.svc.cluster.local") == ["10.42.1.5", "10.42.2.5"]
    assert addresses(named, "10-42-1-5.web.default.svc.cluster.local") == ["10.42.1.5"]
    assert addresses(named, "10-42-1-5.default.pod.cluster.local") == ["10.42.1.5"]
    assert addresses(named, "dns-version.cluster.local", "TXT") == ['"1.1.0"']
    assert addresses(named, "7.7.43.10.in-addr.arpa", "PTR") == ["mongodb.default.svc.cluster.local."]
    assert addresses(named, "9.1.42.10.in-addr.arpa", "PTR") == ["mdb-0.mongodb.default.svc.cluster.local."]
    assert addresses(named, "_https._tcp.kubernetes.default.svc.cluster.local", "SRV") == [
        "0 100 443 kubernetes.default.svc.cluster.local."
    ]
    srv = ask(named, "_http._tcp.web.default.svc.cluster.local", "SRV")
    assert values(srv) == [
        "0 100 8080 10-42-1-5.web.default.svc.cluster.local.",
        "0 100 8080 10-42-2-5.web.default.svc.cluster.local.",
    ]
    assert sorted(r.to_text() for s in srv.additional for r in s) == ["10.42.1.5", "10.42.2.5"]
    assert values(ask(named, "ext.default.svc.cluster.local")) == ["10.43.0.1", "kubernetes.default.svc.cluster.local."]
    assert ask(named, "loop.default.svc.cluster.local").rcode() in (dns.rcode.NOERROR, dns.rcode.SERVFAIL)


def test_an_answer_has_its_name_as_the_question_wrote_it(named: Named, role: DnsRole, world: World) -> None:
    """Resolvers that mix cases against forged answers compare the two."""
    settle(role, world.snapshot())
    for start, kind in [("MongoDB", "A"), ("_HTTP._tcp.Web", "SRV"), ("Ext", "A")]:
        name = f"{start}.Default.svc.cluster.LOCAL."
        assert ask(named, name, kind).answer[0].name.to_text() == name
        assert ask(named, name, kind, tcp=True).answer[0].name.to_text() == name


def test_a_lookup_finds_what_a_pod_would_find(
    named: Named, role: DnsRole, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(role, world.snapshot())

    def look(name: str, kind: str = "") -> tuple[str, str, list[str]]:
        found = host.query(named.config, name, kind)
        (answer,) = found["answers"]
        return found["name"], answer["rcode"], [r["data"] for r in answer["records"]]

    assert look("mongodb.default") == ("mongodb.default.svc.cluster.local.", "NOERROR", ["10.43.7.7"])
    assert look("mdb-0.mongodb.default") == ("mdb-0.mongodb.default.svc.cluster.local.", "NOERROR", ["10.42.1.9"])
    assert look("mongodb.default", "AAAA") == ("mongodb.default.svc.cluster.local.", "NOERROR", [])
    assert look("10.43.7.7")[2] == ["mongodb.default.svc.cluster.local."]
    asked: list[str] = []
    monkeypatch.setattr("rancherctl.dns.pod_netns.within", lambda address, ask: asked.append(address) or ask())
    pod = host.query(named.config, "mongodb", place=host.Place("10.42.1.5", "default"))
    assert (pod["name"], pod["answers"][0]["rcode"], asked) == (
        "mongodb.default.svc.cluster.local.",
        "NOERROR",
        ["10.42.1.5"],
    )
    assert look("nope.default.svc")[:2] == ("nope.default.svc.cluster.local.", "NXDOMAIN")
    assert look("nope.default")[:2] == ("nope.default.", "SERVFAIL"), "no upstream knows it"


def test_nothing_there_and_nothing_of_this_type(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    missing = ask(named, "nope.default.svc.cluster.local")
    assert missing.rcode() == dns.rcode.NXDOMAIN
    (soa,) = missing.authority
    assert (soa.ttl, soa[0].minimum) == (5, 5)  # type: ignore[attr-defined]
    for name, kind in [
        ("mongodb.default.svc.cluster.local", "AAAA"),
        ("default.svc.cluster.local", "A"),
        ("svc.cluster.local", "A"),
    ]:
        answer = ask(named, name, kind)
        assert (answer.rcode(), values(answer), len(answer.authority)) == (dns.rcode.NOERROR, [], 1), name
    assert ask(named, "mdb-9.mongodb.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert ask(named, "mongodb.default.svc.cluster.local").answer[0].ttl == 5
    assert values(ask(named, "cluster.local", "NS")) == ["ns.dns.cluster.local."]


def test_changes_follow_without_restarts(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    world.add(endpoint_slice("web", [endpoint("10.42.2.5"), endpoint("10.42.3.5")], ports=[("http", "TCP", 8080)]))
    world.add(service("ext", "10.43.9.9"), service("mongodb", type="ExternalName", externalName="example.com"))
    del world.services["default/loop"]
    settle(role, world.snapshot())
    assert addresses(named, "web.default.svc.cluster.local") == ["10.42.2.5", "10.42.3.5"]
    assert ask(named, "10-42-1-5.web.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert addresses(named, "ext.default.svc.cluster.local") == ["10.43.9.9"]
    assert addresses(named, "mongodb.default.svc.cluster.local", "CNAME") == ["example.com."]
    assert ask(named, "loop.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    world.add(service("mongodb", "10.43.7.8"))
    settle(role, world.snapshot())
    assert addresses(named, "mongodb.default.svc.cluster.local") == ["10.43.7.8"]
    assert named.starts == 1


def test_a_restarted_agent_needs_no_update(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    role.stop()
    second = DnsRole(named.config, named, probe=False)
    section = settle(second, world.snapshot())
    second.stop()
    assert section["metrics"]["updates"] == 0  # type: ignore[index]


def test_answers_without_the_api_after_a_kill(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    world.add(service("late", "10.43.5.5"))
    settle(role, world.snapshot())
    named.kill()
    named.start()
    assert soon(named, "late.default.svc.cluster.local") == ["10.43.5.5"]


def test_no_acknowledged_update_is_lost_by_kills(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    for number in range(10):
        world.add(service(f"s{number}", f"10.43.6.{number}"))
        role.reconcile(world.snapshot())
        acknowledged = role.reconcile(world.snapshot())["synced"]
        named.kill()
        named.start()
        if acknowledged:
            assert soon(named, f"s{number}.default.svc.cluster.local") == [f"10.43.6.{number}"]
    settle(role, world.snapshot())
    assert all(addresses(named, f"s{n}.default.svc.cluster.local") == [f"10.43.6.{n}"] for n in range(10))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for index in range(min(64, len(data))):
        data[index] ^= 0xFF
    path.write_bytes(data)


def settle_patiently(role: DnsRole, snapshot: Snapshot) -> None:
    """As the loop does when a reconcile fails: again, a little later."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(RancherctlError):
            section = role.reconcile(snapshot)
            if section["synced"] and not section["metrics"]["pending"]:
                return
        time.sleep(0.2)
    raise AssertionError(dict(role.reconcile(snapshot)))


DAMAGE: dict[str, Callable[[Named], None]] = {
    "journal header": lambda n: _flip(n.data / "cluster.local.zone.jnl"),
    "journal empty": lambda n: (n.data / "cluster.local.zone.jnl").write_bytes(b""),
    "zone cut": lambda n: (n.data / "cluster.local.zone").write_bytes(
        (n.data / "cluster.local.zone").read_bytes()[:-37]
    ),
    "zone empty": lambda n: (n.data / "cluster.local.zone").write_bytes(b""),
    "zone gone": lambda n: (n.data / "cluster.local.zone").unlink(),
    "zone text": lambda n: (n.data / "cluster.local.zone").write_text(
        (n.data / "cluster.local.zone").read_text().replace("10.43.0.1", "10.43.0.9")
    ),
}


@pytest.mark.parametrize("api", [True, False], ids=["with API", "API away"])
@pytest.mark.parametrize("what", sorted(DAMAGE))
def test_damage_heals(named: Named, role: DnsRole, world: World, what: str, api: bool) -> None:
    settle(role, world.snapshot())
    world.add(service("late", "10.43.5.5"))
    settle(role, world.snapshot())
    role.stop()
    named.kill()
    DAMAGE[what](named)
    named.start()
    again = DnsRole(named.config, named, probe=False)

    def well() -> bool:
        first, late = (ask(named, f"{name}.default.svc.cluster.local") for name in ("kubernetes", "late"))
        return values(first) == ["10.43.0.1"] and values(late) == ["10.43.5.5"]

    try:
        settle(again, world.snapshot(synced=api), well)
    finally:
        again.stop()


class Pace:
    """A role that is called as the agent's loop calls it when nothing happens: after its whole ``resync``, which passes at once here."""

    def __init__(self, named: Named) -> None:
        self._later = 0.0
        self.role = DnsRole(named.config, named, probe=False, clock=lambda: time.monotonic() + self._later)

    def until(self, done: Callable[[], bool], snapshot: Snapshot, rounds: int = 200) -> None:
        """Reconcile until ``done``."""
        for _ in range(rounds):
            self.role.reconcile(snapshot)
            if done():
                return
            self._later += self.role.resync
            time.sleep(0.02)
        raise AssertionError(dict(self.role.reconcile(snapshot)))


def test_what_loads_but_is_wrong_heals_when_nothing_else_happens(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    role.stop()
    named.stop()
    DAMAGE["zone text"](named)
    named.start()
    pace = Pace(named)
    name = "kubernetes.default.svc.cluster.local"
    assert soon(named, name) == ["10.43.0.9"]
    pace.until(lambda: addresses(named, name) == ["10.43.0.1"], world.snapshot())
    pace.role.stop()


def test_a_journal_that_names_another_zone_heals(named: Named, role: DnsRole, world: World) -> None:
    """One flipped octet: the server loads the record under a name that no update of this zone may mention."""
    settle(role, world.snapshot())
    world.add(service("late", "10.43.5.5"))
    settle(role, world.snapshot())
    role.stop()
    named.kill()
    journal = named.data / "43.10.in-addr.arpa.zone.jnl"
    before = journal.read_bytes()
    journal.write_bytes(before.replace(b"\x015\x015\x0243\x0210\x07in-addr", b"\x015\x015\x0243\x0210\x07in-andr"))
    assert journal.read_bytes() != before
    named.start()
    pace = Pace(named)
    pace.until(
        lambda: values(ask(named, "5.5.43.10.in-addr.arpa", "PTR")) == ["late.default.svc.cluster.local."],
        world.snapshot(),
    )
    pace.role.stop()


def test_an_update_that_is_refused_is_tried_again_though_the_marker_says_that_all_is_well(
    named: Named, role: DnsRole, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(role, world.snapshot())
    role.stop()
    named.stop()
    DAMAGE["zone text"](named)
    named.start()
    pace, refused = Pace(named), [True]
    real = apply.apply

    def once(*words: Any) -> int:
        if refused:
            refused.clear()
            raise apply.UpdateRefusedError("refused")
        return real(*words)

    monkeypatch.setattr(apply, "apply", once)
    name = "kubernetes.default.svc.cluster.local"
    with contextlib.suppress(apply.UpdateRefusedError):
        pace.until(lambda: not refused, world.snapshot())
    pace.until(lambda: addresses(named, name) == ["10.43.0.1"], world.snapshot())
    pace.role.stop()


def test_a_journal_that_lost_its_end_is_made_up_for_without_the_api(named: Named, role: DnsRole, world: World) -> None:
    """What is left is whole in itself, and older than the copy that the agent keeps."""
    settle(role, world.snapshot())
    world.add(service("early", "10.43.5.4"))
    settle(role, world.snapshot())
    journal = named.data / "cluster.local.zone.jnl"
    before = journal.read_bytes()
    world.add(service("late", "10.43.5.5"))
    settle(role, world.snapshot())
    role.stop()
    named.kill()
    journal.write_bytes(before)
    named.start()
    name = "late.default.svc.cluster.local"
    pace = Pace(named)
    pace.until(lambda: values(ask(named, name)) == ["10.43.5.5"], world.snapshot(synced=False))
    starts = named.starts
    for _ in range(5):
        pace.until(lambda: True, world.snapshot(synced=False))
    assert named.starts == starts
    pace.role.stop()
    again = Pace(named)
    again.until(lambda: addresses(named, name) == ["10.43.5.5"], world.snapshot(synced=False))
    assert named.starts == starts, "the copy that is kept is not newer than the zone"
    again.role.stop()


def test_a_marker_that_is_gone_is_written_anew_and_not_missed_for_ever(
    named: Named, role: DnsRole, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(role, world.snapshot())
    role.stop()
    channel = Channel(named.config.control_port, named.config.key_file)
    assert channel.update(apply.build("cluster.local.", [], first=True, marker=None), timeout=60) == "NOERROR"
    assert ask(named, "_rancherctl.cluster.local", "TXT").rcode() == dns.rcode.NXDOMAIN
    transfers: list[str] = []
    real = observe.transfer

    def counted(channel: Channel, zone: str) -> observe.Content:
        transfers.append(zone)
        return real(channel, zone)

    monkeypatch.setattr(observe, "transfer", counted)
    pace = Pace(named)
    pace.until(lambda: observe.read_marker(channel, "cluster.local.").marker is not None, world.snapshot())
    transfers.clear()
    pace.until(lambda: not pace.role.resync < CHECK, world.snapshot())
    for _ in range(5):
        pace.until(lambda: True, world.snapshot())
    assert transfers == []
    channel.close()
    pace.role.stop()


def test_an_empty_list_takes_nothing_away(named: Named, role: DnsRole, world: World) -> None:
    world.add(*(service(f"s{n}", f"10.43.1.{n}") for n in range(100)))
    settle(role, world.snapshot())
    services, slices, pods = world.services, world.slices, world.pods
    world.services, world.slices, world.pods, world.epoch = (
        {"default/kubernetes": services["default/kubernetes"]},
        {},
        {},
        2,
    )
    world.add(service("new", "10.43.9.1"))
    section = role.reconcile(world.snapshot())
    assert "until a second list agrees" in str(section["alarm"])
    assert addresses(named, "s50.default.svc.cluster.local") == ["10.43.1.50"]
    assert addresses(named, "new.default.svc.cluster.local") == ["10.43.9.1"]
    world.services, world.slices, world.pods, world.epoch = services, slices, pods, 3
    assert role.reconcile(world.snapshot())["alarm"] == ""
    assert addresses(named, "s50.default.svc.cluster.local") == ["10.43.1.50"]


def test_a_second_list_is_asked_for_and_believed(named: Named, world: World) -> None:
    now, asked = [0.0], []
    role = DnsRole(named.config, named, probe=False, relist=asked.append, clock=lambda: time.monotonic() + now[0])
    world.add(*(service(f"s{n}", f"10.43.1.{n}") for n in range(100)))
    settle(role, world.snapshot())
    for n in range(100):
        del world.services[f"default/s{n}"]
    world.epoch = 2
    assert role.reconcile(world.snapshot())["alarm"]
    assert not asked
    now[0] += 61
    role.reconcile(world.snapshot())
    role.reconcile(world.snapshot())
    assert asked == [("services", "endpointslices", "pods")]
    world.epoch = 3
    assert role.reconcile(world.snapshot())["alarm"] == ""
    assert ask(named, "s50.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    role.stop()


def test_deletes_one_by_one_are_believed(named: Named, role: DnsRole, world: World) -> None:
    world.add(*(service(f"s{n}", f"10.43.1.{n}") for n in range(100)))
    settle(role, world.snapshot())
    for n in range(100):
        del world.services[f"default/s{n}"]
    assert role.reconcile(world.snapshot())["alarm"] == ""
    assert ask(named, "s50.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN


def test_many_endpoints(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    many = [f"10.42.{n // 250}.{n % 250}" for n in range(1000)]
    world.add(service("big", "None", ports=[("http", "TCP", 80)]))
    for part in range(10):
        world.add(
            endpoint_slice(
                "big",
                [endpoint(a) for a in many[part * 100 : part * 100 + 100]],
                name=f"big-{part}",
                ports=[("http", "TCP", 80)],
            )
        )
    settle(role, world.snapshot())
    small = ask(named, "big.default.svc.cluster.local")
    assert small.flags & dns.flags.TC
    assert values(ask(named, "big.default.svc.cluster.local", tcp=True)) == sorted(many)
    assert len(values(ask(named, "_http._tcp.big.default.svc.cluster.local", "SRV", tcp=True))) == 1000
    first = [r.to_text() for r in ask(named, "web.default.svc.cluster.local").answer[0]]
    assert any([r.to_text() for r in ask(named, "web.default.svc.cluster.local").answer[0]] != first for _ in range(30))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Named]:
    """A server whose data folder is a file system of 400 KB."""
    server = Named(tmp_path)
    kept = {path.name: path.read_bytes() for path in server.data.iterdir()}
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(server.data)], check=True)
    try:
        for name, content in kept.items():
            (server.data / name).write_bytes(content)
        server.start()
        yield server
        server.stop()
    finally:
        subprocess.run(["umount", "-l", str(server.data)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_keeps_what_was_there_and_heals_by_itself(small_disk: Named, world: World) -> None:
    role = DnsRole(small_disk.config, small_disk, probe=False)
    settle(role, world.snapshot())
    filler = small_disk.data / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    world.add(*(service(f"s{n}", f"10.43.1.{n}") for n in range(200)))
    for _ in range(4):
        with contextlib.suppress(RancherctlError):
            role.reconcile(world.snapshot())
        assert addresses(small_disk, "mongodb.default.svc.cluster.local") == ["10.43.7.7"]
    assert small_disk.starts == 1
    filler.unlink()
    settle_patiently(role, world.snapshot())
    assert addresses(small_disk, "s199.default.svc.cluster.local") == ["10.43.1.199"]
    role.stop()


def test_strangers_may_not_read_or_write_zones(named: Named, role: DnsRole, world: World) -> None:
    import dns.update

    settle(role, world.snapshot())
    query = dns.message.make_query("cluster.local", "AXFR")
    assert dns.query.tcp(query, "127.0.0.1", timeout=60, port=named.config.port).rcode() == dns.rcode.REFUSED
    update = dns.update.UpdateMessage("cluster.local.")
    update.add("evil.cluster.local.", 5, "A", "192.0.2.1")
    assert dns.query.tcp(update, "127.0.0.1", timeout=60, port=named.config.port).rcode() == dns.rcode.REFUSED
    assert ask(named, "evil.cluster.local").rcode() == dns.rcode.NXDOMAIN


def test_foreign_records_of_any_kind_do_not_stop_updates(named: Named, role: DnsRole, world: World) -> None:
    """Whoever has the host has the key; and the version after this one may know more types. Everything goes, and updates go on."""
    import dns.update

    from rancherctl.dns.client import read_key

    settle(role, world.snapshot())
    key = read_key(named.config.key_file)
    update = dns.update.UpdateMessage("cluster.local.", keyring={key.name: key})
    update.add("mail.cluster.local.", 5, "MX", "10 mail.example.")
    update.add("\\195\\188" * 20 + ".cluster.local.", 5, "TXT", '"say \\"hi\\""')
    update.add("sub.cluster.local.", 5, "NS", "ns.example.")
    assert dns.query.tcp(update, "127.0.0.1", timeout=60, port=named.config.control_port).rcode() == dns.rcode.NOERROR
    second = DnsRole(named.config, named, probe=False)
    world.add(service("late", "10.43.0.99"))
    settle(second, world.snapshot(), lambda: ask(named, "mail.cluster.local", "MX").rcode() == dns.rcode.NXDOMAIN)
    settle(second, world.snapshot())
    assert addresses(named, "late.default.svc.cluster.local") == ["10.43.0.99"]
    assert ask(named, "\\195\\188" * 20 + ".cluster.local", "TXT").rcode() == dns.rcode.NXDOMAIN
    assert ask(named, "sub.cluster.local", "A").rcode() == dns.rcode.NXDOMAIN
    second.stop()


def test_neither_counters_nor_copies_hold_up_names(named: Named, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    later = [0.0]
    role = DnsRole(named.config, named, probe=False, clock=lambda: time.monotonic() + later[0])
    real = Store.keep

    def broken(*_: object, **__: object) -> None:
        raise RancherctlError("no room")

    monkeypatch.setattr("rancherctl.dns.stats.read", broken)
    monkeypatch.setattr(Store, "keep", broken)
    settle(role, world.snapshot())
    later[0] += 10.0
    section = role.reconcile(world.snapshot())
    assert section["synced"]
    assert "no copy of the zones is kept: no room" in section["alarm"]
    world.add(service("late", "10.43.0.99"))
    settle(role, world.snapshot())
    assert addresses(named, "late.default.svc.cluster.local") == ["10.43.0.99"]
    monkeypatch.setattr(Store, "keep", real)
    later[0] += 100.0
    assert role.reconcile(world.snapshot())["alarm"] == ""
    assert (named.data / "cluster.local.zone.kept").exists()
    role.stop()


def test_a_failure_and_the_api_s_absence_are_left_for_dns_status(
    named: Named, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, file = [0.0], tmp_path / "dns.json"
    role = DnsRole(named.config, named, probe=False, run_file=file, clock=lambda: time.monotonic() + later[0])
    settle(role, world.snapshot())
    assert json.loads(file.read_text())["metrics"]["unheard"] < 1
    later[0] += 600.0
    away = world.snapshot()
    role.reconcile(replace(away, tables={name: replace(table, healthy=False) for name, table in away.tables.items()}))
    assert json.loads(file.read_text())["metrics"]["unheard"] >= 600

    def refuse(*_: object, **__: object) -> None:
        raise RancherctlError("update of zone cluster.local. refused")

    monkeypatch.setattr("rancherctl.dns.apply.apply", refuse)
    world.add(service("late", "10.43.0.99"))
    with pytest.raises(RancherctlError):
        role.reconcile(world.snapshot())
    found = json.loads(file.read_text())
    assert (found["synced"], found["error"]) == (False, "update of zone cluster.local. refused")
    monkeypatch.undo()
    settle(role, world.snapshot())
    assert "error" not in json.loads(file.read_text())
    role.stop()


def test_a_foreign_change_is_undone(named: Named, role: DnsRole, world: World) -> None:
    from rancherctl.dns.model import Marker, RecordSet
    from rancherctl.dns.plan import plan

    settle(role, world.snapshot())
    other = Channel(named.config.control_port, named.config.key_file)
    evil = RecordSet("evil.cluster.local.", "A", ("192.0.2.1",))
    apply.apply(other, "cluster.local.", plan({}, {evil.key: evil}), Marker("0" * 32))
    other.close()
    settle(role, world.snapshot(), lambda: ask(named, "evil.cluster.local").rcode() == dns.rcode.NXDOMAIN)

"""Restarts, damaged files, refused updates and foreign changes against a real named."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from rancherctl.dns import apply, observe
from rancherctl.dns.client import Channel
from rancherctl.dns.reconcile import DnsRole
from rancherctl.dns.sync import CHECK
from rancherctl.errors import RancherctlError
from rancherctl.kube.snapshot import Snapshot
from tests.fakes.dns_queries import Pace, addresses, ask, settle, soon, values
from tests.fakes.dns_tables import World, service
from tests.fakes.named import Named


def test_a_restarted_agent_needs_no_update(named: Named, role: DnsRole, world: World) -> None:
    settle(role, world.snapshot())
    role.stop()
    second = DnsRole(named.config, named, probe=False)
    section = settle(second, world.snapshot())
    second.stop()
    assert section["metrics"]["updates"] == 0  # type: ignore[index]


def test_a_killed_server_answers_the_last_known_names_without_the_api(
    named: Named, role: DnsRole, world: World
) -> None:
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


def settle_despite_errors(role: DnsRole, snapshot: Snapshot) -> None:
    """As the loop does when a reconcile fails: again, a little later."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(RancherctlError):
            section = role.reconcile(snapshot)
            if section["synced"] and not section["metrics"]["pending"]:
                return
        time.sleep(0.2)
    raise AssertionError(dict(role.reconcile(snapshot)))


DAMAGE: dict[str, Callable[[Named], object]] = {
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
def test_a_damaged_file_is_repaired(named: Named, role: DnsRole, world: World, what: str, api: bool) -> None:
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


def test_a_wrong_zone_that_loads_is_repaired_without_other_changes(named: Named, role: DnsRole, world: World) -> None:
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


def test_a_journal_that_names_another_zone_is_repaired(named: Named, role: DnsRole, world: World) -> None:
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


def test_a_refused_update_is_retried_even_if_the_marker_matches(
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


def test_a_truncated_journal_is_repaired_from_the_saved_copy_without_the_api(
    named: Named, role: DnsRole, world: World
) -> None:
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


def test_a_missing_marker_is_rewritten_once_and_the_zone_is_not_read_again(
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
def test_a_full_disk_keeps_the_served_names_and_updates_resume_when_space_is_free(
    small_disk: Named, world: World
) -> None:
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
    settle_despite_errors(role, world.snapshot())
    assert addresses(small_disk, "s199.default.svc.cluster.local") == ["10.43.1.199"]
    role.stop()


def test_foreign_records_of_any_kind_do_not_stop_updates(named: Named, role: DnsRole, world: World) -> None:
    """Root on the host has the key, and a later release may know more types: all are removed, updates continue."""
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


def test_a_foreign_change_is_undone(named: Named, role: DnsRole, world: World) -> None:
    from rancherctl.dns.model import Marker, RecordSet
    from rancherctl.dns.plan import plan

    settle(role, world.snapshot())
    other = Channel(named.config.control_port, named.config.key_file)
    evil = RecordSet("evil.cluster.local.", "A", ("192.0.2.1",))
    apply.apply(other, "cluster.local.", plan({}, {evil.key: evil}), Marker("0" * 32))
    other.close()
    settle(role, world.snapshot(), lambda: ask(named, "evil.cluster.local").rcode() == dns.rcode.NXDOMAIN)

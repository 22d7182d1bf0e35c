"""Faults of DNS servers (cases 50 to 53): what is said, what is tried next, and that nothing is half known."""

from __future__ import annotations

import base64
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rancherctl.change import Change
from rancherctl.dns.model import RecordSet
from rancherctl.errors import AuthError, NotFoundError, RancherctlError, UnreachableError
from rancherctl.federation.dns_state import PublishedName
from rancherctl.federation.inventory import MemoryInventory
from rancherctl.federation.names import fence_name
from rancherctl.federation.operator.delegation import system_resolver
from rancherctl.federation.operator.dns import verify
from rancherctl.federation.operator.zone_check import check_zone
from rancherctl.federation.ownership import Epoch, Marker, NameState
from rancherctl.federation.providers.base import Fence, NameChange, Outcome, Result
from rancherctl.federation.providers.faults import ServerError
from rancherctl.federation.providers.rfc2136 import Rfc2136Provider
from rancherctl.federation.providers.tsig import TsigKey
from rancherctl.federation.publisher import DnsPublisher
from rancherctl.federation.zone_report import ZoneReport
from tests.fakes.dns_provider import OWNER, SETTINGS, service, shard
from tests.fakes.ports import free_port
from tests.fakes.public_dns import KEYS, ZONE, PublicDns

FENCE_NAME = fence_name("acme", ZONE)
FENCE = Fence(FENCE_NAME, Epoch(OWNER, 1).text())
WEB = f"web.default.acme.svc.{ZONE}."
M1, M2 = "203.0.113.1", "203.0.113.2"


def _server(folder: Path, **options: str) -> Iterator[PublicDns]:
    with PublicDns(folder, **options) as server:  # type: ignore[arg-type]
        yield server


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicDns]:
    yield from _server(tmp_path_factory.mktemp("bind"))


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicDns]:
    """A server that takes updates and allows no transfer."""
    yield from _server(tmp_path_factory.mktemp("closed"), transfer="none;")


@pytest.fixture(scope="module")
def readonly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicDns]:
    yield from _server(tmp_path_factory.mktemp("readonly"), update="none;")


def _change(name: str = WEB, *addresses: str) -> NameChange:
    sets = (RecordSet(name, "A", addresses or (M1,), 30),)
    return Change(name, None, NameState(sets, Marker(OWNER, ("A",), "service/default/web")))


def _claim(server: PublicDns) -> Rfc2136Provider:
    provider = Rfc2136Provider(ZONE, [server.address], server.key)
    server.edit(f"update delete {FENCE_NAME}", f"update delete {WEB}", f"update delete _rancherctl.{WEB}")
    assert provider.claim(FENCE_NAME, (), FENCE.text).outcome is Outcome.DONE
    return provider


@pytest.mark.parametrize("name", sorted(KEYS))
def test_all_algorithms_of_keys_read_and_write(bind: PublicDns, name: str) -> None:
    _claim(bind)
    provider = Rfc2136Provider(ZONE, [bind.address], bind.keys[name])
    assert provider.apply([_change()], FENCE)[WEB] == Result(Outcome.DONE)
    assert bind.dig(WEB) == [M1]
    assert provider.read(FENCE_NAME, ()).names[WEB].addresses() == (M1,)


@pytest.mark.parametrize(
    ("key", "part"),
    [
        (TsigKey("acme-256", "hmac-sha256", b"wrong" * 8), "the secret of key acme-256 is not the server's"),
        (TsigKey("nosuch", "hmac-sha256", b"wrong" * 8), "it has no key named nosuch with the algorithm hmac-sha256"),
        (
            TsigKey("acme-256", "hmac-sha512", b"wrong" * 8),
            "it has no key named acme-256 with the algorithm hmac-sha512",
        ),
    ],
)
def test_a_wrong_key_is_said_with_its_remedy(bind: PublicDns, key: TsigKey, part: str) -> None:
    provider = Rfc2136Provider(ZONE, [bind.address], key)
    with pytest.raises(AuthError) as error:
        provider.read(FENCE_NAME, ())
    assert part in str(error.value)
    assert "Secret rancherctl-federation/dns-provider" in error.value.hint
    assert base64.b64encode(key.secret).decode() not in repr(key) + str(error.value)
    result = provider.apply([_change()], FENCE)[WEB]
    assert (result.outcome, result.stale) == (Outcome.REFUSED, False)
    assert part in result.why


def test_a_clock_that_differs_is_said(bind: PublicDns, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    monkeypatch.setattr("dns.message.time.time", lambda: now() - 400)
    with pytest.raises(AuthError) as error:
        Rfc2136Provider(ZONE, [bind.address], bind.key).read(FENCE_NAME, ())
    assert "refuses the time of the signature" in error.value.what
    assert "set both clocks" in error.value.hint


def test_a_server_without_rights_to_update_is_said(readonly: PublicDns) -> None:
    provider = Rfc2136Provider(ZONE, [readonly.address], readonly.key)
    result = provider.claim(FENCE_NAME, (), FENCE.text)
    assert (result.outcome, result.stale) == (Outcome.REFUSED, False)
    assert result.why == f"DNS server {readonly.address} refuses updates of zone acme.example"
    assert result.hint == "allow it for key acme-256 (update-policy or allow-update in BIND)"


def test_an_update_of_a_zone_that_is_not_there_is_said(bind: PublicDns) -> None:
    provider = Rfc2136Provider("other.example", [bind.address], bind.key)
    with pytest.raises(NotFoundError, match=r"does not serve zone other\.example"):
        provider.read("", ())
    assert "does not serve zone other.example" in provider.claim("x.other.example.", (), "y").why


def test_the_second_server_is_used_if_the_first_is_away(bind: PublicDns) -> None:
    """external-dns#3470."""
    _claim(bind)
    provider = Rfc2136Provider(ZONE, [f"127.0.0.1:{free_port()}", bind.address], bind.key)
    assert WEB not in provider.read(FENCE_NAME, ()).names
    assert provider.apply([_change()], FENCE)[WEB] == Result(Outcome.DONE)


def test_if_all_servers_are_away_the_first_is_named() -> None:
    port = free_port()
    provider = Rfc2136Provider(ZONE, [f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"], None)
    with pytest.raises(UnreachableError) as error:
        provider.read(FENCE_NAME, ())
    assert f"DNS server 127.0.0.1:{port} does not accept connections on TCP port {port}" in error.value.what
    assert "firewalls allow TCP" in error.value.hint


def test_a_refused_transfer_means_that_names_are_asked_for(closed: PublicDns) -> None:
    provider = _claim(closed)
    provider.apply([_change(WEB, M1, M2)], FENCE)
    unasked = provider.read(FENCE_NAME, ())
    assert (unasked.complete, dict(unasked.names), unasked.epoch) == (False, {}, (FENCE.text,))
    assert not provider.capabilities.lists
    view = provider.read(FENCE_NAME, [WEB, f"mail.{ZONE}.", f"nothing.{ZONE}."])
    assert set(view.names) == {WEB, f"mail.{ZONE}."}
    assert view.names[WEB].addresses() == (M1, M2)
    assert view.names[WEB].marker == Marker(OWNER, ("A",), "service/default/web")


def test_the_publisher_works_without_transfers(closed: PublicDns) -> None:
    closed.edit(f"update delete {FENCE_NAME}", f"update delete {WEB}", f"update delete _rancherctl.{WEB}")
    store = MemoryInventory()

    def publisher() -> DnsPublisher:
        provider = Rfc2136Provider(ZONE, [closed.address], closed.key)
        return DnsPublisher(SETTINGS, provider, gate=lambda: None, store=store, choose=random.Random(1))

    first = publisher()
    first.want([service("web", shard("m1", M1), hostnames=("mail.acme.example",))], {})
    first.step()
    assert closed.dig(WEB) == [M1]
    assert closed.dig(f"mail.{ZONE}") == ["192.0.2.25"]
    assert first.state().condition("default/web").reason == "Conflict"
    restarted = publisher()
    restarted.want([], {})
    restarted.step()
    assert closed.dig(WEB) == [M1]
    assert [o.name for o in restarted.state().orphans if o.name == WEB] == [WEB]
    restarted.want([], {}, gone=["default/web"])
    restarted.step()
    assert closed.dig(WEB) == []
    assert closed.dig(f"_rancherctl.{WEB}", "TXT") == []


class _Proxy:
    """A TCP proxy to a DNS server whose answers a function may change; None closes the connection."""

    def __init__(self, target: int, change: Callable[[int, bytes], bytes | None]) -> None:
        self._target, self._change = target, change
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                with client, socket.create_connection(("127.0.0.1", self._target)) as server:
                    threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                    self._answers(server, client)
                    client.shutdown(socket.SHUT_RDWR)
            except OSError:
                if self._listener.fileno() < 0:
                    return

    @staticmethod
    def _forward(client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        number = 0
        with server.makefile("rb") as stream:
            while head := stream.read(2):
                wire = self._change(number, stream.read(struct.unpack("!H", head)[0]))
                number += 1
                if wire is None:
                    return
                client.sendall(struct.pack("!H", len(wire)) + wire)

    def close(self) -> None:
        self._listener.close()


def test_a_transfer_that_is_cut_is_unknown(bind: PublicDns) -> None:
    """external-dns PR#6652: half a transfer was taken for the zone."""
    provider = _claim(bind)
    every = [f"s{number}.default.acme.svc.{ZONE}." for number in range(300)]
    provider.apply([_change(name, M1, M2) for name in every], FENCE)
    proxy = _Proxy(bind.port, lambda number, wire: wire if number < 1 else None)
    try:
        with pytest.raises(UnreachableError, match="did not answer"):
            Rfc2136Provider(ZONE, [bind.address], bind.key, transfer_servers=[proxy.address]).read(FENCE_NAME, ())
    finally:
        proxy.close()
        read = provider.read(FENCE_NAME, ()).names
        provider.apply([Change(name, read[name], None) for name in every], FENCE)


def test_an_answer_that_is_lost_is_unknown_and_is_not_sent_to_the_next_server(bind: PublicDns) -> None:
    """Case 52: the update was carried out, but its answer never came."""
    _claim(bind)
    proxy = _Proxy(bind.port, lambda _, __: None)
    other: list[int] = []
    try:
        provider = Rfc2136Provider(ZONE, [proxy.address, bind.address], bind.key, gate=lambda: other.append(1))
        result = provider.apply([_change()], FENCE)[WEB]
    finally:
        proxy.close()
    assert (result.outcome, len(other)) == (Outcome.UNKNOWN, 1)
    assert bind.dig(WEB) == [M1]


def test_a_changed_answer_is_not_believed(bind: PublicDns) -> None:
    proxy = _Proxy(bind.port, lambda _, wire: wire[:-1] + bytes([wire[-1] ^ 1]))
    try:
        with pytest.raises(RancherctlError):
            Rfc2136Provider(ZONE, [proxy.address], bind.key).read(FENCE_NAME, ())
    finally:
        proxy.close()


def test_an_old_transfer_server_is_noticed(bind: PublicDns, tmp_path: Path) -> None:
    old = PublicDns(tmp_path / "old")
    old.share_keys(bind)
    old.start()
    try:
        _claim(bind)
        with pytest.raises(ServerError) as error:
            Rfc2136Provider(ZONE, [bind.address], bind.key, transfer_servers=[old.address]).read(FENCE_NAME, ())
        assert "is out of date" in error.value.what
        assert "is notified of changes" in error.value.hint
    finally:
        old.stop()


def test_a_server_that_hangs_ends_after_the_time_limit(bind: PublicDns) -> None:
    bind.signal(signal.SIGSTOP)
    try:
        with pytest.raises(UnreachableError, match="did not answer"):
            Rfc2136Provider(ZONE, [bind.address], bind.key, timeout=0.3).read(FENCE_NAME, ())
    finally:
        bind.signal(signal.SIGCONT)


def test_the_gate_stops_an_update_before_its_first_octet(bind: PublicDns) -> None:
    _claim(bind)

    def gate() -> None:
        raise RancherctlError("no longer the leader")

    with pytest.raises(RancherctlError, match="no longer the leader"):
        Rfc2136Provider(ZONE, [bind.address], bind.key, gate=gate).apply([_change()], FENCE)
    assert bind.dig(WEB) == []


def test_verify_names_the_server_that_is_behind(bind: PublicDns, tmp_path: Path) -> None:
    """Case 66."""
    behind = PublicDns(tmp_path / "behind")
    behind.start()
    try:
        _claim(bind).apply([_change(WEB, M1)], FENCE)
        report = ZoneReport(ZONE, (PublishedName(WEB.removesuffix("."), "service/default/web", (f"A {M1}",)),), 1)
        away = f"127.0.0.1:{free_port()}"
        checks = {c.address: c for c in verify(report, [bind.address, behind.address, away], {})}
        assert (checks[bind.address].wrong, checks[bind.address].problem) == ((), "")
        assert checks[behind.address].wrong == (WEB.removesuffix("."),)
        assert "does not accept connections" in checks[away].problem
    finally:
        behind.stop()


def test_before_a_federation_is_created_all_that_is_wrong_with_its_zone_is_said(
    bind: PublicDns, tmp_path: Path
) -> None:
    """A zone that does not exist, a wrong key, a clock that differs, a server that is off: no write, one answer."""
    other = PublicDns(tmp_path / "other")
    other.start()
    try:
        off, before = f"127.0.0.1:{free_port()}", bind.dig(ZONE, "SOA")
        good = check_zone(ZONE, [bind.address, off], bind.key)
        assert (good.problems, good.nameservers) == ((), (f"ns1.{ZONE}.", f"ns2.{ZONE}."))
        assert [f"{off} does not accept connections" in note for note in good.notes] == [True]
        missing = check_zone("nosuch.example", [bind.address], bind.key)
        assert "does not serve zone nosuch.example" in missing.problems[0]
        wrong = check_zone(ZONE, [bind.address, other.address], other.key)
        assert ["the secret of key acme-256 is not the server's" in problem for problem in wrong.problems] == [True]
        assert bind.dig(ZONE, "SOA") == before
    finally:
        other.stop()


def test_a_clock_that_differs_is_said_before_a_federation_is_created(
    bind: PublicDns, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    monkeypatch.setattr("dns.message.time.time", lambda: now() - 400)
    (problem,) = check_zone(ZONE, [bind.address], bind.key).problems
    assert "refuses the time of the signature" in problem
    assert "set both clocks" in problem


def test_the_resolver_says_who_serves_a_zone(bind: PublicDns) -> None:
    resolve = system_resolver("127.0.0.1", bind.port)
    assert sorted(resolve(f"{ZONE}.")) == [f"ns1.{ZONE}.", f"ns2.{ZONE}."]
    assert resolve(f"nosuch.{ZONE}.") == ()
    with pytest.raises(UnreachableError, match="does not answer"):
        system_resolver("127.0.0.1", free_port())(f"{ZONE}.")

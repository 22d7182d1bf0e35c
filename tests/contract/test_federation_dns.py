"""DNS providers of a federation: one contract for the provider in memory and for rfc2136 against a real BIND."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from rancherctl.change import Change
from rancherctl.dns.model import RecordSet
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.federation.inventory import MemoryInventory
from rancherctl.federation.model import Verdict
from rancherctl.federation.names import fence_name
from rancherctl.federation.ownership import Epoch, Marker, NameState
from rancherctl.federation.providers.base import DnsProvider, Fence, NameChange, Outcome
from rancherctl.federation.providers.memory import MemoryProvider, MemoryZones
from rancherctl.federation.providers.rfc2136 import Rfc2136Provider
from rancherctl.federation.publisher import DnsPublisher
from tests.fakes.dns_provider import EU_B, OWNER, SETTINGS, service, shard
from tests.fakes.public_dns import ZONE, PublicDns

FENCE_NAME = fence_name("acme", ZONE)
ONE, TWO = Epoch(OWNER, 1).text(), Epoch(OWNER, 2).text()
WEB = "web.default.acme.svc.acme.example."
M1, M2 = "203.0.113.1", "203.0.113.2"


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicDns]:
    with PublicDns(tmp_path_factory.mktemp("bind")) as server:
        yield server


@dataclass
class Site:
    """A provider with an empty zone (but for records of others at ``mail``)."""

    provider: DnsProvider
    edit: Callable[[str, str, Sequence[str]], None]

    def read(self) -> dict[str, NameState]:
        return dict(self.provider.read(FENCE_NAME, ()).names)


def _memory() -> Site:
    zones = MemoryZones(ZONE)

    def edit(name: str, kind: str, rdatas: Sequence[str]) -> None:
        zones.sets[f"{ZONE}."].pop((name, kind), None)
        if rdatas:
            zones.sets[f"{ZONE}."][name, kind] = RecordSet(name, kind, tuple(rdatas), 60)
        zones.serial += 1

    edit(f"mail.{ZONE}.", "A", ["192.0.2.25"])
    edit(f"mail.{ZONE}.", "MX", [f"10 mail.{ZONE}."])
    return Site(MemoryProvider(zones, ZONE), edit)


def _clear(server: PublicDns) -> None:
    """Delete what tests wrote."""
    view = Rfc2136Provider(ZONE, [server.address], server.key).read("", ())
    keep = {f"{label}.{ZONE}." for label in ("ns1", "ns2", "mail")}
    gone = {n for n in view.names if n not in keep} | {f"_rancherctl.{n}" for n in view.names} | {FENCE_NAME}
    server.edit(*(f"update delete {name}" for name in sorted(gone)))


@pytest.fixture(params=["memory", "rfc2136"])
def site(request: pytest.FixtureRequest) -> Site:
    if request.param == "memory":
        return _memory()
    server: PublicDns = request.getfixturevalue("bind")
    _clear(server)

    def edit(name: str, kind: str, rdatas: Sequence[str]) -> None:
        server.edit(f"update delete {name} {kind}", *(f"update add {name} 60 {kind} {r}" for r in rdatas))

    return Site(Rfc2136Provider(ZONE, [server.address], server.key), edit)


def _state(name: str, *sets: tuple[str, tuple[str, ...]]) -> NameState:
    made = tuple(RecordSet(name, kind, rdatas, 30) for kind, rdatas in sets)
    return NameState(made, Marker(OWNER, tuple(s.type for s in made), "service/default/web"))


def _create(name: str, state: NameState) -> NameChange:
    return Change(name, None, state)


def _claimed(site: Site) -> Fence:
    assert site.provider.claim(FENCE_NAME, (), ONE).outcome is Outcome.DONE
    return Fence(FENCE_NAME, ONE)


def test_the_zone_is_found_with_its_name_servers(site: Site) -> None:
    info = site.provider.info()
    assert info.serial is not None
    assert info.nameservers == (f"ns1.{ZONE}.", f"ns2.{ZONE}.")


def test_records_of_others_are_read(site: Site) -> None:
    mail = site.read()[f"mail.{ZONE}."]
    assert [(s.type, s.rdatas) for s in mail.sets] == [("A", ("192.0.2.25",)), ("MX", (f"10 mail.{ZONE}.",))]
    assert mail.marker is None


def test_what_is_written_is_read_back_equal(site: Site) -> None:
    wanted = {
        WEB: _state(WEB, ("A", (M1, M2)), ("AAAA", ("2001:db8::1",))),
        f"a.{ZONE}.": _state(f"a.{ZONE}.", ("CNAME", (WEB,))),
    }
    results = site.provider.apply([_create(n, s) for n, s in sorted(wanted.items())], _claimed(site))
    assert {r.outcome for r in results.values()} == {Outcome.DONE}
    view = site.provider.read(FENCE_NAME, ())
    assert {n: s for n, s in view.names.items() if n in wanted} == wanted
    assert view.epoch == (ONE,)
    assert view.complete
    assert site.provider.look(wanted) == wanted


def test_a_type_changes_in_one_step_both_ways(site: Site) -> None:
    fence = _claimed(site)
    addresses, alias = _state(WEB, ("A", (M1,))), _state(WEB, ("CNAME", (f"b.{ZONE}.",)))
    for old, new in ((None, addresses), (addresses, alias), (alias, addresses), (addresses, None)):
        result = site.provider.apply([Change(WEB, old, new)], fence)[WEB]
        assert result.outcome is Outcome.DONE, result
        assert site.read().get(WEB) == new


def test_one_wrong_expectation_changes_nothing(site: Site) -> None:
    fence = _claimed(site)
    site.edit(WEB, "A", ["192.0.2.9"])
    other = f"other.{ZONE}."
    results = site.provider.apply(
        [_create(other, _state(other, ("A", (M1,)))), _create(WEB, _state(WEB, ("A", (M1,))))], fence
    )
    assert {r.outcome for r in results.values()} == {Outcome.REFUSED}
    assert all(r.stale for r in results.values())
    read = site.read()
    assert other not in read
    assert read[WEB].sets == (RecordSet(WEB, "A", ("192.0.2.9",), 60),)


@pytest.mark.parametrize("changed", [["203.0.113.9"], [M1, "203.0.113.9"], []])
def test_a_set_that_others_changed_is_not_replaced(site: Site, changed: list[str]) -> None:
    fence = _claimed(site)
    old = _state(WEB, ("A", (M1,)))
    site.provider.apply([_create(WEB, old)], fence)
    site.edit(WEB, "A", changed)
    for new in (_state(WEB, ("A", (M2,))), None):
        assert site.provider.apply([Change(WEB, old, new)], fence)[WEB].outcome is Outcome.REFUSED
    assert [r for s in site.read()[WEB].sets for r in s.rdatas] == sorted(changed)


def test_a_marker_of_others_stops_a_write(site: Site) -> None:
    fence = _claimed(site)
    site.edit(f"_rancherctl.{WEB}", "TXT", ['"heritage=rancherctl" "federation=other/1" "for=A" "object=x"'])
    result = site.provider.apply([_create(WEB, _state(WEB, ("A", (M1,))))], fence)[WEB]
    assert (result.outcome, result.stale) == (Outcome.REFUSED, True)


def test_the_zone_marker_is_claimed_once(site: Site) -> None:
    _claimed(site)
    assert site.provider.claim(FENCE_NAME, (), TWO).outcome is Outcome.REFUSED
    assert site.provider.claim(FENCE_NAME, (ONE,), TWO).outcome is Outcome.DONE
    assert site.provider.read(FENCE_NAME, ()).epoch == (TWO,)


def test_the_zone_marker_is_removed_by_its_writer(site: Site) -> None:
    """Case 57."""
    _claimed(site)
    assert site.provider.claim(FENCE_NAME, (TWO,), "").outcome is Outcome.REFUSED
    assert site.provider.claim(FENCE_NAME, (ONE,), "").outcome is Outcome.DONE
    assert site.provider.read(FENCE_NAME, ()).epoch == ()


def test_a_write_with_an_old_epoch_is_refused(site: Site) -> None:
    """Case 54: the old leader was frozen after its last check, right before its update."""
    old = _claimed(site)
    site.provider.claim(FENCE_NAME, (ONE,), TWO)
    result = site.provider.apply([_create(WEB, _state(WEB, ("A", (M1,))))], old)[WEB]
    assert (result.outcome, result.stale) == (Outcome.REFUSED, True)
    assert WEB not in site.read()


def test_an_alias_beside_records_of_others_is_seen_when_read_back(site: Site) -> None:
    fence = _claimed(site)
    site.edit(WEB, "TXT", ['"note"'])
    alias = _state(WEB, ("CNAME", (f"b.{ZONE}.",)))
    assert site.provider.apply([_create(WEB, alias)], fence)[WEB].outcome is Outcome.DONE
    assert [s.type for s in site.provider.look([WEB])[WEB].sets] == ["TXT"]


def test_many_changes_are_sent_in_several_parts(site: Site) -> None:
    """Each part is at most 48 KB; 400 names need several."""
    fence = _claimed(site)
    every = [f"s{number}.default.acme.svc.{ZONE}." for number in range(400)]
    results = site.provider.apply([_create(n, _state(n, ("A", (M1, M2)))) for n in every], fence)
    assert {r.outcome for r in results.values()} == {Outcome.DONE}
    read = site.read()
    assert all(read[name] == _state(name, ("A", (M1, M2))) for name in every)
    results = site.provider.apply([Change(n, read[n], None) for n in every], fence)
    assert {r.outcome for r in results.values()} == {Outcome.DONE}
    assert set(site.read()).isdisjoint(every)


# The publisher with each provider


def _publisher(site: Site) -> DnsPublisher:
    return DnsPublisher(
        SETTINGS, site.provider, gate=lambda: None, store=MemoryInventory(), clock=lambda: 0.0, choose=random.Random(1)
    )


def test_the_publisher_converges_and_is_quiet(site: Site) -> None:
    publisher = _publisher(site)
    web = service(
        "web", shard("m1", M1), shard("m2", M2, place=EU_B), hostnames=("www.acme.example", "mail.acme.example")
    )
    publisher.want([web], {})
    publisher.step()
    first = site.read()
    assert first[WEB].addresses() == (M1, M2)
    assert first[f"www.{ZONE}."].addresses() == (M1, M2)
    assert first[f"mail.{ZONE}."].addresses() == ("192.0.2.25",)
    assert publisher.state().condition("default/web").reason == "Conflict"
    publisher.want([web], {M2: Verdict(True, "down")})
    publisher.step()
    zone_b = f"web.default.acme.svc.b.eu.{ZONE}."
    assert site.read()[zone_b].sets[0].rdatas == (f"web.default.acme.svc.eu.{ZONE}.",)
    publisher.want([], {}, gone=["default/web"])
    publisher.step()
    assert {n for n, s in site.read().items() if s.marker} == set()
    assert publisher.state().settled("default/web")


def test_the_publisher_writes_addresses_where_an_alias_is_left_out(site: Site) -> None:
    zone_b = f"web.default.acme.svc.b.eu.{ZONE}."
    publisher = _publisher(site)
    web = service("web", shard("m1", M1), shard("m2", M2, place=EU_B))
    publisher.want([web], {})
    publisher.step()
    site.edit(zone_b, "TXT", ['"note"'])
    publisher.want([web], {M2: Verdict(True, "down")})
    publisher.step()
    found = site.read()[zone_b]
    assert [(s.type, s.rdatas) for s in found.sets] == [("A", (M1,)), ("TXT", ('"note"',))]


def test_an_alias_at_the_place_of_a_marker_is_a_conflict_until_it_goes(site: Site) -> None:
    """The zone was read before others added it: the server refuses the write, and the next read shows why."""
    name = f"web.default.acme.svc.{ZONE}."
    publisher = _publisher(site)
    publisher.want([], {})
    publisher.step()
    site.edit(f"_rancherctl.{name}", "CNAME", ["x.example."])
    publisher.want([service("web", shard("m1", M1))], {})
    with pytest.raises(ConflictError, match="has changed since it was read"):
        publisher.step()
    assert name not in site.read()
    publisher.step()
    assert f"_rancherctl.{name[:-1]} is an alias of others" in publisher.state().condition("default/web").message
    assert name not in site.read()
    site.edit(f"_rancherctl.{name}", "CNAME", [])
    restarted = _publisher(site)
    restarted.want([service("web", shard("m1", M1))], {})
    restarted.step()
    assert site.read()[name].addresses() == (M1,)


def test_two_publishers_the_old_one_is_refused(site: Site) -> None:
    """Case 54 with the publishers: the new leader's zone stays."""
    old, new = _publisher(site), _publisher(site)
    old.want([service("web", shard("m1", M1))], {})
    old.step()
    new.want([service("web", shard("m1", M1), shard("m2", M2))], {})
    new.step()
    wanted = site.read()
    old.want([service("web", shard("m9", "203.0.113.9"))], {})
    with pytest.raises(ConflictError, match="has changed since it was read"):
        old.step()
    assert site.read() == wanted


def test_a_zone_that_is_not_there_is_an_error_in_words(bind: PublicDns) -> None:
    """Case 56: no zone is created."""
    for provider in (
        MemoryProvider(MemoryZones(ZONE), "other.example"),
        Rfc2136Provider("other.example", [bind.address], bind.key),
    ):
        with pytest.raises(NotFoundError, match=r"zone other\.example") as error:
            provider.info()
        assert error.value.hint

"""The publisher: epochs, quiet when nothing differs, faults of the provider, tombstones, adoption."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rancherctl.dns.model import RecordSet
from rancherctl.errors import ConflictError, NotFoundError, RancherctlError, UnreachableError
from rancherctl.federation.conditions import DNS, Condition
from rancherctl.federation.inventory import Inventory, MemoryInventory
from rancherctl.federation.model import Verdict
from rancherctl.federation.providers.base import Capabilities
from rancherctl.federation.providers.memory import MemoryZones
from rancherctl.federation.publisher import DnsPublisher
from rancherctl.federation.zone_keeper import AUDIT_SECONDS, PublishError
from tests.fakes.dns_provider import EU_B, SETTINGS, FaultyProvider, lines, service, shard

M1, M2 = "203.0.113.1", "203.0.113.2"
LAST = "web.default.acme.svc.acme.example"
WEB = service("web", shard("m1", M1), shard("m2", M2, place=EU_B))
DOWN = Verdict(True, "3 of 4 probes failed from 2 places", 0.0)


class _Site:
    """A zone in memory with one publisher, whose clock stands."""

    def __init__(self, *, zone: str = "acme.example", **capabilities: object) -> None:
        self.zones = MemoryZones("acme.example")
        self.provider = FaultyProvider(self.zones, zone, capabilities=Capabilities(**capabilities))  # type: ignore[arg-type]
        self.store = MemoryInventory()
        self.now = 0.0
        self.leading = True
        self.publisher = self.other()

    def other(self, provider: FaultyProvider | None = None) -> DnsPublisher:
        return DnsPublisher(
            SETTINGS,
            provider or self.provider,
            gate=self._gate,
            store=self.store,
            clock=lambda: self.now,
            choose=random.Random(1),
        )

    def _gate(self) -> None:
        if not self.leading:
            raise RancherctlError("no longer the leader")

    @property
    def content(self) -> dict[tuple[str, str], RecordSet]:
        return self.zones.sets["acme.example."]

    def condition(self) -> Condition:
        return self.publisher.state().condition("default/web")


def test_publishes_and_is_quiet_then() -> None:
    site = _Site()
    assert site.publisher.step() is None
    assert site.provider.calls == 0
    site.publisher.want([WEB], {})
    assert site.condition() == Condition(DNS, "False", "Pending", "the public zone has not been read yet")
    wait = site.publisher.step()
    assert wait is not None
    assert 0.9 * AUDIT_SECONDS <= wait <= 1.1 * AUDIT_SECONDS
    assert f"{LAST} A {M1} {M2}" in lines(site.content)
    assert site.condition() == Condition(DNS, "True", "Published", f"{LAST} has 2 addresses")
    calls = site.provider.calls
    site.publisher.want([WEB], {})
    site.publisher.step()
    assert site.provider.calls == calls


def test_an_audit_reads_only_a_zone_that_has_changed() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.now += 1.1 * AUDIT_SECONDS
    site.publisher.step()  # its own writes changed the serial number: this one reads
    calls = site.provider.calls
    site.now += 1.1 * AUDIT_SECONDS
    site.publisher.step()
    assert site.provider.calls == calls + 1
    site.content[f"{LAST}.", "A"] = RecordSet(f"{LAST}.", "A", ("192.0.2.9",), 30)
    site.zones.serial += 1
    site.now += 1.1 * AUDIT_SECONDS
    site.publisher.step()
    assert f"{LAST} A {M1} {M2}" in lines(site.content)


def test_a_verdict_withdraws_and_returns_an_address() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.publisher.want([WEB], {M2: DOWN})
    site.publisher.step()
    assert f"{LAST} A {M1}" in lines(site.content)
    assert "web.default.acme.svc.b.eu.acme.example CNAME web.default.acme.svc.eu.acme.example." in lines(site.content)
    site.publisher.want([WEB], {})
    site.publisher.step()
    assert f"{LAST} A {M1} {M2}" in lines(site.content)


def test_the_last_wish_wins_while_the_provider_is_away() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.provider.faults = ["away"]
    with pytest.raises(UnreachableError):
        site.publisher.step()
    assert site.condition().message == "DNS server 192.0.2.53 does not answer"
    site.publisher.want([WEB], {M2: DOWN})
    site.publisher.step()
    assert f"{LAST} A {M1}" in lines(site.content)
    assert site.condition().status == "True"


@pytest.mark.parametrize("fault", ["refuse", "lost", "done-unknown"])
def test_a_write_that_fails_is_repeated_after_a_read(fault: str) -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.publisher.want([WEB], {M2: DOWN})
    site.provider.faults = [fault]
    with pytest.raises(PublishError) as error:
        site.publisher.step()
    assert ("may or may not" in error.value.what) == (fault != "refuse")
    assert (site.condition().status, site.condition().reason) == ("False", "ProviderFailed")
    site.publisher.step()
    assert f"{LAST} A {M1}" in lines(site.content)
    assert site.condition().status == "True"


def test_an_old_read_is_refused_by_what_it_requires_and_converges() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.now += 2 * AUDIT_SECONDS
    site.publisher.step()
    site.publisher.want([WEB], {M2: DOWN})
    site.publisher.step()
    site.now += 2 * AUDIT_SECONDS
    site.publisher.want([WEB], {})
    site.provider.faults = ["stale"]
    site.publisher.want([service("web", shard("m1", M1))], {})
    with pytest.raises(ConflictError):  # planned from a zone without the change before
        site.publisher.step()
    site.publisher.step()
    assert f"{LAST} A {M1}" in lines(site.content)


def test_an_old_leader_is_refused_after_a_takeover() -> None:
    """The old leader passed its check before it was frozen: the zone marker stops it."""
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    new = site.other(FaultyProvider(site.zones, "acme.example"))
    new.want([service("web", shard("m1", M1))], {})
    new.step()
    assert new.state().epoch == 2
    wanted = lines(site.content, markers=True)
    site.publisher.want([WEB], {M1: DOWN})
    with pytest.raises(ConflictError, match="has changed since it was read"):
        site.publisher.step()
    assert lines(site.content, markers=True) == wanted
    site.leading = False
    with pytest.raises(RancherctlError, match="no longer the leader"):
        site.publisher.step()


def test_a_process_that_leads_again_takes_a_new_epoch() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    between = site.other(FaultyProvider(site.zones, "acme.example"))
    between.want([service("web", shard("m1", M1))], {})
    between.step()
    site.publisher.want([WEB], {M1: DOWN})
    with pytest.raises(ConflictError):
        site.publisher.step()
    site.publisher.step()
    assert site.publisher.state().epoch == 3
    assert f"{LAST} A {M2}" in lines(site.content)


@pytest.mark.parametrize(("call", "left"), [("read", 0), ("claim", 1)])
def test_a_process_that_leads_no_longer_does_not_write(call: str, left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leadership ends during a step: after the read the zone marker is not written, after that no name is."""
    site = _Site()
    original = getattr(site.provider, call)

    def last_call(*args: object) -> object:
        site.leading = False
        return original(*args)

    monkeypatch.setattr(site.provider, call, last_call)
    site.publisher.want([WEB], {})
    with pytest.raises(RancherctlError, match="no longer the leader"):
        site.publisher.step()
    assert len(site.content) == left
    assert site.provider.writes == []


def test_another_federation_of_the_same_name_in_the_zone_is_refused() -> None:
    site = _Site()
    name = "_rancherctl-acme.acme.example."
    theirs = ('"heritage=rancherctl" "federation=acme/dead" "epoch=4"',)
    site.content[name, "TXT"] = RecordSet(name, "TXT", theirs, 300)
    site.publisher.want([WEB], {})
    with pytest.raises(ConflictError) as error:
        site.publisher.step()
    assert "belongs to another federation named acme" in error.value.what
    assert "remove TXT _rancherctl-acme.acme.example" in error.value.hint
    assert len(site.content) == 1


def test_a_missing_zone_is_an_error_and_is_not_created() -> None:
    site = _Site(zone="other.example")
    site.publisher.want([WEB], {})
    with pytest.raises(NotFoundError, match=r"no zone other\.example"):
        site.publisher.step()
    assert set(site.zones.sets) == {"acme.example."}


def test_records_of_others_stay_until_they_are_adopted() -> None:
    site = _Site()
    foreign = RecordSet(f"{LAST}.", "A", ("192.0.2.9",), 60)
    beside = RecordSet(f"{LAST}.", "TXT", ('"note"',), 60)
    site.content[foreign.name, "A"], site.content[foreign.name, "TXT"] = foreign, beside
    site.publisher.want([WEB], {})
    site.publisher.step()
    assert site.content[foreign.name, "A"] == foreign
    assert site.condition().reason == "Conflict"
    assert "A 192.0.2.9 without our marker" in site.condition().message
    site.publisher.adopt(LAST)
    site.publisher.step()
    assert site.content[foreign.name, "A"].rdatas == (M1, M2)
    assert site.content[foreign.name, "TXT"] == beside
    assert site.condition().status == "True"


def test_a_deleted_service_leaves_nothing_and_an_absent_one_everything() -> None:
    """Case 16: k/k#36799, federation#251 #252: records of all rungs stayed; external-dns#2858: they all went."""
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    before = lines(site.content, markers=True)
    site.publisher.want([], {})
    site.publisher.step()
    assert lines(site.content, markers=True) == before
    assert len(site.publisher.state().orphans) == 4
    assert not site.publisher.state().settled("default/web")
    site.publisher.want([], {}, gone=["default/web"])
    site.publisher.step()
    assert lines(site.content) == []
    assert len(site.content) == 1  # the zone marker
    assert site.publisher.state().settled("default/web")
    assert site.store.content == Inventory()


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("lists", [False, True])
def test_a_service_that_selects_no_member_any_more_leaves_nothing(restarts: bool, lists: bool) -> None:
    """It is there and wants no name: its names go, although nothing replaces them."""
    site = _Site(lists=lists)
    site.publisher.want([WEB], {})
    site.publisher.step()
    if restarts:
        site.publisher = site.other()
    site.publisher.want([replace(WEB, shards=())], {}, gone=["default/web"])
    site.publisher.step()
    assert lines(site.content) == []
    assert site.condition() == Condition(DNS, "False", "Removed", "no healthy shard, so its names have no records")
    assert site.store.content == Inventory()
    site.publisher.want([WEB], {})
    site.publisher.step()
    assert f"{LAST} A {M1} {M2}" in lines(site.content)


def test_a_tombstone_waits_for_a_provider_that_is_away() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.publisher.want([], {}, gone=["default/web"])
    site.provider.faults = ["refuse"]
    with pytest.raises(PublishError):
        site.publisher.step()
    assert site.publisher.state().settled("default/web")
    restarted = site.other()
    restarted.want([], {})
    restarted.step()
    assert lines(site.content) == []
    assert site.store.content == Inventory()


def test_a_tombstone_is_saved_before_the_zone_is_read() -> None:
    """The Service may go from the API although the DNS server has been away since the process started."""
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    restarted = site.other()
    restarted.want([], {}, gone=["default/web"])
    site.provider.faults = ["away"]
    with pytest.raises(UnreachableError):
        restarted.step()
    assert restarted.state().settled("default/web")
    again = site.other()
    again.want([], {})
    again.step()
    assert lines(site.content) == []


def test_a_tombstone_stays_while_its_names_wait_for_members() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.publisher.want([], {}, gone=["default/web"], settled=False)
    site.publisher.step()
    assert len(lines(site.content)) == 4
    restarted = site.other()
    restarted.want([], {})
    restarted.step()
    assert lines(site.content) == []


def test_a_service_that_is_created_again_cancels_its_tombstone() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.store.content = Inventory(tombstones=frozenset({"service/default/web"}))
    restarted = site.other()
    restarted.want([WEB], {})
    restarted.step()
    assert f"{LAST} A {M1} {M2}" in lines(site.content)
    assert site.store.content == Inventory()


def test_force_deletes_orphans_once() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.publisher.want([], {})
    site.publisher.force()
    site.publisher.step()
    assert lines(site.content) == []
    site.publisher.want([WEB], {})
    site.publisher.step()
    site.publisher.want([], {})
    site.publisher.step()
    assert len(lines(site.content)) == 4


def test_a_zone_that_cannot_be_listed_is_asked_name_by_name() -> None:
    site = _Site(lists=False)
    site.publisher.want([WEB], {})
    site.publisher.step()
    assert site.store.content.names[f"{LAST}."] == "service/default/web"
    restarted = site.other()
    restarted.want([], {}, gone=["default/web"])
    restarted.step()
    assert lines(site.content) == []
    assert site.store.content == Inventory()


def test_names_are_saved_before_they_are_written_to_a_zone_that_cannot_be_listed() -> None:
    site = _Site(lists=False)
    site.publisher.want([], {})
    site.publisher.step()
    site.publisher.want([WEB], {})
    site.provider.faults = ["lost"]
    with pytest.raises(PublishError):
        site.publisher.step()
    assert f"{LAST}." in site.store.content.names


def test_nothing_is_written_to_a_zone_that_cannot_be_listed_while_its_names_cannot_be_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(content: Inventory) -> None:
        raise UnreachableError("the API does not answer")

    site = _Site(lists=False)
    site.publisher.want([WEB], {})
    with monkeypatch.context() as patched:
        patched.setattr(site.store, "save", away)
        with pytest.raises(UnreachableError):
            site.publisher.step()
    assert lines(site.content) == []
    site.publisher.step()
    assert f"{LAST} A {M1} {M2}" in lines(site.content)


def test_a_member_that_left_is_not_kept() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    alone = service("web", shard("m1", M1, ready=False))
    site.publisher.want([alone], {}, left=["m2"])
    site.publisher.step()
    assert f"{LAST} A {M1}" in lines(site.content)
    assert site.condition().reason == "NoHealthyShards"


def test_remove_after_is_due_without_a_new_wish() -> None:
    site = _Site()
    web = service("web", shard("m1", M1), when_none="remove-after 10m")
    site.publisher.want([web], {})
    site.publisher.step()
    site.publisher.want([web], {M1: DOWN})
    assert site.publisher.step() == 600.0
    site.now = 200.0
    site.publisher.want([web], {M1: replace(DOWN, reason="4 of 4 probes failed")})
    assert site.publisher.step() == 400.0
    assert lines(site.content) != []
    site.now = 600.0
    site.publisher.step()
    assert lines(site.content) == []
    assert site.condition().reason == "Removed"


@pytest.mark.parametrize("fault", ["", "away", "refuse", "lost", "done-unknown"])
@pytest.mark.parametrize("at", [0, 1], ids=["the names", "the zone marker"])
@pytest.mark.parametrize("lists", [True, False])
def test_a_federation_that_is_removed_leaves_nothing_of_its_own(fault: str, at: int, lists: bool) -> None:
    """Case 57: names that are kept, orphans and the zone marker go; records of others stay; then it is quiet."""
    site = _Site(lists=lists)
    mail = RecordSet("mail.acme.example.", "A", ("192.0.2.25",), 60)
    site.content[mail.name, "A"] = mail
    site.publisher.want([WEB, service("old", shard("m1", M1))], {})
    site.publisher.step()
    kept = replace(WEB, shards=())
    site.publisher.want([kept], {})
    site.publisher.step()
    assert f"{LAST} A {M1} {M2}" in lines(site.content)
    site.publisher.release()
    failed = _with_fault(site, fault, at)
    if failed:
        assert not site.publisher.state().released
        site.publisher.step()
    assert list(site.content.values()) == [mail]
    state = site.publisher.state()
    assert (state.released, state.names, state.epoch, state.problem) == (True, (), 0, "")
    assert site.store.content == Inventory()
    calls = site.provider.calls
    site.publisher.want([], {}, gone=["default/web"])
    site.now += 2 * AUDIT_SECONDS
    assert site.publisher.step() is None
    assert site.provider.calls == calls
    site.publisher.want([WEB], {})
    site.publisher.step()
    assert f"{LAST} A {M1} {M2}" in lines(site.content)
    assert not site.publisher.state().released


def _with_fault(site: _Site, fault: str, at: int) -> bool:
    """One step whose write number ``at`` meets the fault; whether it failed."""
    if not fault:
        site.publisher.step()
        return False
    write, count = site.provider._write, 0

    def counted(done, every):
        nonlocal count
        site.provider.faults = [fault] if count == at else []
        count += 1
        return write(done, every)

    site.provider._write = counted  # type: ignore[method-assign]
    with pytest.raises(RancherctlError):
        site.publisher.step()
    site.provider._write, site.provider.faults = write, []  # type: ignore[method-assign]
    return True


def test_names_of_services_with_members_are_not_released() -> None:
    site = _Site()
    site.publisher.want([WEB], {})
    site.publisher.step()
    before = lines(site.content, markers=True)
    site.publisher.release()
    site.publisher.step()
    site.publisher.want([replace(WEB, shards=())], {})
    site.publisher.step()
    assert lines(site.content, markers=True) == before, "a request is not kept for later"

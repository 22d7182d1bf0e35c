"""The public DNS as the Hub uses it: conditions, members that leave, deleted Services, the stored inventory and key."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from rancherctl.errors import ConflictError, NotFoundError, RancherctlError, UsageError
from rancherctl.federation.inventory import Inventory, MemoryInventory
from rancherctl.federation.inventory_store import StoredInventory
from rancherctl.federation.member_view import MemberView
from rancherctl.federation.objects import Federated
from rancherctl.federation.probe_results import ProbeLog
from rancherctl.federation.providers.configured import ConfiguredProvider
from rancherctl.federation.providers.memory import MemoryZones
from rancherctl.federation.providers.tsig import key_of
from rancherctl.federation.public_dns import PublicDns
from rancherctl.federation.shards import Member
from rancherctl.federation.wanted import unpublished
from tests.fakes.dns_provider import SETTINGS, FaultyProvider, lines, service, shard
from tests.fakes.federation import annotated, deleting, service_json, source_of

M1, M2 = "203.0.113.1", "203.0.113.2"
WEB = service("web", shard("m1", M1), shard("m2", M2))


class _Memory:
    """One stored text."""

    text = ""

    def read(self) -> str:
        return self.text

    def write(self, text: str) -> None:
        self.text = text


class _Site:
    def __init__(self) -> None:
        self.zones = MemoryZones("acme.example")
        self.now = 0.0
        self.dead: set[str] = set()
        self.memory = _Memory()
        self.log = ProbeLog()
        self.restart()

    def restart(self) -> None:
        self.dns = PublicDns(
            SETTINGS,
            FaultyProvider(self.zones, "acme.example"),
            MemoryInventory(),
            gate=lambda: None,
            changed=lambda: None,
            clock=lambda: self.now,
            memory=self.memory,
            probe_all=lambda targets: {t.key: t.address not in self.dead for t in targets},
        )
        self.dns._started = True  # the test calls the publisher's step and the check itself
        self.dns.check()

    def lines(self) -> list[str]:
        return lines(self.zones.sets["acme.example."])


def test_a_service_gets_its_condition_and_withheld_addresses() -> None:
    site = _Site()
    site.dns.want([service("web", shard("m1", M1), shard("m2", M2, drained=True))])
    site.dns.publisher.step()
    part = site.dns.dns()["default/web"]
    assert part.condition is not None
    assert (part.condition.type, part.condition.status) == ("federation.rancherctl.io/DNS", "True")
    assert (part.published, part.withheld) == (1, {M2: "member m2 is drained"})


def test_a_member_has_left_one_ttl_after_its_addresses_are_out() -> None:
    """Case 36: the address leaves DNS before anything else goes (k/k#36657 #46043, federation#80)."""
    site = _Site()
    site.dns.want([WEB])
    site.dns.publisher.step()
    assert not site.dns.gone("m2")
    leaving = service("web", shard("m1", M1), shard("m2", M2, drained=True))
    site.dns.want([leaving], left=["m2"])
    assert not site.dns.gone("m2")
    site.dns.publisher.step()
    assert not site.dns.gone("m2")
    site.now = 29.0
    assert not site.dns.gone("m2")
    site.now = 30.0
    assert site.dns.gone("m2")


def test_the_last_member_of_a_service_leaves_too() -> None:
    site = _Site()
    site.dns.want([service("web", shard("m1", M1))])
    site.dns.publisher.step()
    site.dns.want([service("web", shard("m1", M1, drained=True))], left=["m1"])
    site.dns.publisher.step()
    assert site.lines() == []


def _dead(site: _Site, rounds: int = 6) -> None:
    """Rounds of probes here, and of a vantage point in m3."""
    log = site.log
    for _ in range(rounds):
        site.now += 2.0
        site.dns.check()
        log.record({t.key: t.address not in site.dead for t in site.dns.targets("m3")}, site.now)
        site.dns.report("m3", log.results(site.now))


def test_a_dead_address_leaves_dns_and_a_new_leader_knows_it() -> None:
    site = _Site()
    site.dns.want([WEB], members=["m1", "m2", "m3"])
    site.dns.publisher.step()
    _dead(site)
    assert site.dns.serving("m2").status == "True"
    site.dead = {M2}
    _dead(site)
    site.dns.publisher.step()
    assert site.dns.withdrawn() == {M2}
    assert f"web.default.acme.svc.acme.example A {M1}" in site.lines()
    assert site.dns.serving("m2").reason == "Probed"
    assert site.dns.dns()["default/web"].withheld[M2].startswith("3 of 4 probes failed from 2 places")
    site.dns.check()
    site.restart()
    site.dns.want([WEB], members=["m1", "m2", "m3"])
    site.dns.check()
    site.dns.publisher.step()
    assert site.dns.withdrawn() == {M2}
    assert f"web.default.acme.svc.acme.example A {M1}" in site.lines()


def test_nothing_is_published_before_the_first_round_of_probes() -> None:
    site = _Site()
    site.dns._judge = None
    site.dns.want([WEB])
    assert site.dns.publisher.step() is None
    site.dns.check()
    assert site.dns.publisher.step() is not None


def _keys(*services: Any, members: tuple[str, ...] = ("m1",)) -> frozenset[str]:
    found = {name: Member(name, {"env": "prod"}, view=MemberView(name, known=True)) for name in members}
    return unpublished({s.id.key: s for s in services}, found)


def _source(**annotations: str) -> Federated:
    return source_of(annotated(service_json(), **annotations))


def test_deleted_kept_and_deselected_services_lose_their_names() -> None:
    assert _keys(_source(cluster_selector="env=prod")) == frozenset()
    assert _keys(_source(cluster_selector="env=test")) == {"default/web"}
    assert _keys(_source(stay="true")) == {"default/web"}
    assert _keys(_source(cluster_selector="env in (")) == frozenset()
    assert _keys(source_of(deleting(service_json()))) == {"default/web"}


def test_a_list_of_members_that_lost_some_deletes_no_name() -> None:
    elsewhere = _source(cluster_selector="env=test", status='{"members":{"m2":{"state":"InSync"}}}')
    assert _keys(elsewhere) == frozenset()
    assert _keys(elsewhere, members=()) == frozenset()
    assert _keys(elsewhere, members=("m1", "m2")) == {"default/web"}


class _Api:
    """ConfigMaps of one namespace with resource versions."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None

    def get(self, resource: object, name: str, **_: object) -> dict[str, Any]:
        if self.stored is None:
            raise NotFoundError("not found")
        return dict(self.stored)

    def create(self, resource: object, body: dict[str, Any], **_: object) -> dict[str, Any]:
        self.stored = {**body, "version": 1}
        return dict(self.stored)

    def replace(self, resource: object, body: dict[str, Any], **_: object) -> dict[str, Any]:
        if self.stored is None or body["version"] != self.stored["version"]:
            raise ConflictError("changed")
        self.stored = {**body, "version": body["version"] + 1}
        return dict(self.stored)


def test_the_inventory_is_stored_and_read_back() -> None:
    api = _Api()
    store = StoredInventory(api)
    assert store.load() == Inventory()
    wanted = Inventory({"a.acme.example.": "service/default/a"}, frozenset({"service/default/b"}))
    store.save(wanted)
    store.save(wanted)
    assert StoredInventory(api).load() == wanted
    other = StoredInventory(api)
    other.load()
    other.save(Inventory())
    with pytest.raises(ConflictError):
        store.save(wanted)


def test_an_inventory_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    api = _Api()
    api.create(None, {"data": {"inventory": "[]"}})
    with pytest.raises(RancherctlError, match="cannot read the ConfigMap rancherctl-federation/dns-inventory"):
        StoredInventory(api).load()


def _secret(**data: str) -> dict[str, Any]:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def test_the_key_is_read_from_its_secret() -> None:
    key = key_of(_secret(name="acme.", algorithm="hmac-sha256", secret="c2VjcmV0"))
    assert (key.name, key.algorithm, key.secret) == ("acme", "hmac-sha256", b"secret")


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "acme", "algorithm": "hmac-md5", "secret": "c2VjcmV0"},
        {"name": "a", "algorithm": "hmac-sha256", "secret": "?"},
    ],
)
def test_a_secret_without_a_usable_key_is_refused(data: dict[str, str]) -> None:
    with pytest.raises(UsageError) as error:
        key_of(_secret(**data))
    assert "c2VjcmV0" not in str(error.value)


def test_a_secret_that_was_replaced_is_read_again_after_a_refusal() -> None:
    reads: list[int] = []

    def secret() -> dict[str, Any]:
        reads.append(1)
        return _secret(name="acme", algorithm="hmac-sha256", secret="?" if len(reads) == 1 else "c2VjcmV0")

    settings = replace(SETTINGS, provider="rfc2136", servers=())
    provider = ConfiguredProvider(settings, secret, gate=lambda: None)
    with pytest.raises(UsageError):
        provider.info()
    with pytest.raises(RancherctlError, match="no DNS server is configured"):
        provider.info()
    assert len(reads) == 2

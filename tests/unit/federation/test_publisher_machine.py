"""The publisher under random members, Services, outages, foreign edits and provider faults (Hypothesis).

At all times: no record of others is touched, and no name is empty while a shard of its Service lives. After the faults
have ended: quiet after three looks, then no call, and the zone is as wanted. After all troubles have ended: the zone is
as a publisher without a history writes it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from contextlib import suppress

from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rancherctl.dns.model import RecordSet
from rancherctl.errors import RancherctlError
from rancherctl.federation.inventory import InventoryStore, MemoryInventory
from rancherctl.federation.model import FederatedService, Place, Shard, ShardAddress, Verdict
from rancherctl.federation.ownership import OUR_TYPES, Epoch, Marker, zone_view
from rancherctl.federation.providers.base import Capabilities
from rancherctl.federation.providers.memory import MemoryZones
from rancherctl.federation.publisher import DnsPublisher
from rancherctl.federation.zone_keeper import AUDIT_SECONDS
from tests.fakes.dns_provider import OWNER, SETTINGS, FaultyProvider

ZONE = "acme.example."
FENCE = f"_rancherctl-acme.{ZONE}"
MEMBERS = ("m1", "m2", "m3", "m4")
SERVICES = ("web", "api", "db")
PLACES = (Place("eu", "a"), Place("eu", "b"), Place("us", "a"), Place("us", None), Place(None, None))
HOSTNAMES = ("www.acme.example", "acme.example", "web.acme.example")
FOREIGN_NAMES = [
    *(f"{service}.default.acme.svc.{ZONE}" for service in SERVICES),
    f"web.default.acme.svc.a.eu.{ZONE}",
    f"www.{ZONE}",
    ZONE,
    f"mail.{ZONE}",
    f"_rancherctl.www.{ZONE}",
]
THEIRS = (
    RecordSet(f"old.{ZONE}", "A", ("192.0.2.7",), 60),
    RecordSet(f"_rancherctl.old.{ZONE}", "TXT", Marker("acme/dead", ("A",), "service/default/web").rdatas(), 60),
)
"""Names of a federation that is no longer there, whose objects had the same names."""
FAULTS = ("away", "refuse", "lost", "done-unknown", "stale")

members, services = st.sampled_from(MEMBERS), st.sampled_from(SERVICES)
NONE: list[str] = []
some_faults = st.one_of(st.just(NONE), st.just(NONE), st.lists(st.sampled_from(FAULTS), max_size=2))


class PublisherMachine(RuleBasedStateMachine):
    """One zone, one publisher that restarts now and then, and others who write to the zone, too."""

    @initialize(
        lists=st.booleans(), atomic=st.booleans(), before=st.sets(st.sampled_from(FOREIGN_NAMES[:-1]), max_size=2)
    )
    def start(self, lists: bool, atomic: bool, before: set[str]) -> None:
        self.zones, self.store = MemoryZones("acme.example"), MemoryInventory()
        self.content = self.zones.sets[ZONE]
        self.capabilities = Capabilities(lists=lists, atomic=atomic)
        there = (*THEIRS, *(RecordSet(name, "A", ("192.0.2.9",), 60) for name in before))
        self.foreign = {(s.name, s.type): s for s in there}
        self.content.update(self.foreign)
        self.places = {m: PLACES[i] for i, m in enumerate(MEMBERS)}
        self.objects: dict[str, dict[str, object]] = {}
        self.selected: dict[str, set[str]] = {}
        self.unready: set[tuple[str, str]] = set()
        self.drained: set[str] = set()
        self.unread: set[str] = set()
        self.down: set[str] = set()
        self.gone: set[str] = set()
        self.deleted: set[str] = set()
        self.born = 0
        self.now = 0.0
        self.once: set[str] = set()
        self.edited = False
        self.disturbed = set(before)
        self.hidden: set[str] = set()
        self._restart()
        self._create("web", {"m1", "m2"}, "www.acme.example")
        self._create("api", {"m2", "m4"}, "")
        self.look([])

    def _restart(self) -> None:
        self.provider = FaultyProvider(self.zones, "acme.example", capabilities=self.capabilities)
        self.publisher = self._publisher(self.provider)

    def _publisher(self, provider: FaultyProvider, store: InventoryStore | None = None) -> DnsPublisher:
        return DnsPublisher(
            SETTINGS,
            provider,
            gate=lambda: None,
            store=store or self.store,
            clock=lambda: self.now,
            choose=random.Random(0),
        )

    # What changes in the federation

    @rule(
        name=services,
        where=st.sets(members),
        hostname=st.sampled_from(("", *HOSTNAMES)),
        priority=st.booleans(),
        faults=some_faults,
    )
    def create_or_select(self, name: str, where: set[str], hostname: str, priority: bool, faults: list[str]) -> None:
        self._create(name, where, hostname, priority=priority)
        self.look(faults)

    def _create(self, name: str, where: set[str], hostname: str, *, priority: bool = False) -> None:
        if name not in self.objects:
            self.born += 1
            self.objects[name] = {"created": f"2026-11-01T00:00:{self.born % 60:02}Z", "uid": f"u{self.born}"}
        self.objects[name]["hostnames"] = (hostname,) if hostname else ()
        self.objects[name]["priority"] = {"m1": 1, "m2": 2} if priority else None
        self.selected[name] = where
        self.gone.discard(name)
        if not where:
            self.gone.add(name)
        self.once -= self.gone

    @rule(name=services, faults=some_faults)
    def delete(self, name: str, faults: list[str]) -> None:
        if self.objects.pop(name, None):
            self.gone.add(name)
            self.deleted.add(name)
            self.once.discard(name)
        self.look(faults)

    @rule(name=services, member=members, faults=some_faults)
    def endpoints(self, name: str, member: str, faults: list[str]) -> None:
        self.unready ^= {(name, member)}
        self.look(faults)

    @rule(member=members, faults=some_faults)
    def drain_or_undrain(self, member: str, faults: list[str]) -> None:
        self.drained ^= {member}
        self.look(faults)

    @rule(member=members, faults=some_faults)
    def outage_or_return(self, member: str, faults: list[str]) -> None:
        self.down ^= {member}
        self.look(faults)

    @rule(member=members, place=st.sampled_from(PLACES), faults=some_faults)
    def move(self, member: str, place: Place, faults: list[str]) -> None:
        self.places[member] = place
        self.look(faults)

    @rule()
    def restart_while_an_api_is_away(self) -> None:
        """What the API no longer has by then is forgotten, too: tombstones that the publisher has saved."""
        state = self.publisher.state()
        self.gone = {name for name in self.gone if name in self.objects or not state.settled(f"default/{name}")}
        self.unread = {"m1"}
        self._restart()

    @rule()
    def api_returns(self) -> None:
        self.unread = set()

    @rule(name=services, faults=some_faults)
    def a_list_lacks_or_has_again(self, name: str, faults: list[str]) -> None:
        """Absence says nothing: what is published stays."""
        self.hidden ^= {name}
        self.look(faults)

    @rule()
    def another_process_leads_meanwhile(self) -> None:
        """It makes the zone as wanted; this process learns of it by its next write, or by its audit."""
        before = Epoch.parse(self.content[FENCE, "TXT"].rdatas) if (FENCE, "TXT") in self.content else None
        other = self._publisher(FaultyProvider(self.zones, "acme.example", capabilities=self.capabilities))
        self._want(other)
        other.step()
        assert other.state().epoch == (before.number if before else 0) + 1
        self.edited = True
        self._note_published()

    # What others do in the zone

    def _edit(self) -> None:
        """A name server counts an edit; the federation sees it in its audit."""
        self.zones.serial += 1
        self.edited = True

    @rule(
        name=st.sampled_from(FOREIGN_NAMES),
        kind=st.sampled_from(("A", "A", "CNAME", "TXT", "MX", "AAAA")),
    )
    def foreign_write(self, name: str, kind: str) -> None:
        """Others write a set that is not there and that no marker claims; a zone has no other data beside a CNAME."""
        there = {t for n, t in self.content if n == name}
        state = zone_view(self.content.values(), FENCE).names.get(name)
        there |= set(state.marker.types) if state and state.marker else set()
        if kind in there or "CNAME" in there or (kind == "CNAME" and there):
            return
        rdata = {"A": "192.0.2.9", "AAAA": "2001:db8::9", "TXT": '"note"', "CNAME": "x.example.", "MX": "1 x."}[kind]
        self.content[name, kind] = self.foreign[name, kind] = RecordSet(name, kind, (rdata,), 60)
        self.disturbed.add(name.removeprefix("_rancherctl."))
        self._edit()

    @precondition(lambda self: self.foreign)
    @rule(data=st.data())
    def foreign_delete(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.foreign)))
        del self.foreign[key], self.content[key]
        self._edit()

    @precondition(lambda self: self._ours())
    @rule(data=st.data())
    def edit_of_our_set(self, data: st.DataObject) -> None:
        """Others change or delete a set that the federation owns: it is restored."""
        key = data.draw(st.sampled_from(sorted(self._ours())))
        self.disturbed.add(key[0])
        if data.draw(st.booleans()):
            del self.content[key]
        elif key[1] == "A":
            self.content[key] = RecordSet(key[0], "A", ("192.0.2.8",), 30)
        self._edit()

    # What the publisher does

    @rule(faults=st.lists(st.sampled_from(FAULTS), max_size=3))
    def look(self, faults: list[str]) -> None:
        self.provider.faults = list(faults)
        self._want()
        with suppress(RancherctlError):  # it looks again
            self.publisher.step()
        self.edited |= "stale" in faults
        self.provider.faults = []
        self._note_published()

    @rule()
    def settle(self) -> None:
        """Without faults: as wanted after three looks, and then no call."""
        self._want()
        if self.edited:
            self.now += 2 * AUDIT_SECONDS
        self.edited = False
        for _ in range(3):
            try:
                self.publisher.step()
            except RancherctlError:
                continue
        state = self.publisher.state()
        assert (state.problem, state.pending) == ("", 0)
        calls = self.provider.calls
        self.publisher.step()
        assert self.provider.calls == calls
        self._note_published()
        self._check_wanted()
        # What others deleted while no shard was healthy may not be known any more.
        lost = {name for name in self.disturbed if (name, "A") not in self.content}
        self.disturbed = lost | {name.removeprefix("_rancherctl.") for name, _ in self.foreign}

    @rule()
    def all_troubles_end(self) -> None:
        """The zone has no trace of what was: names, aliases and markers are those of a publisher without a history."""
        for trouble in (self.unready, self.drained, self.down, self.unread, self.hidden):
            trouble.clear()
        for key in self.foreign.keys() - {(s.name, s.type) for s in THEIRS}:
            del self.foreign[key], self.content[key]
            self._edit()
        self.settle()
        zones = MemoryZones("acme.example")
        fresh = self._publisher(
            FaultyProvider(zones, "acme.example", capabilities=self.capabilities), MemoryInventory()
        )
        self._want(fresh)
        fresh.step()
        known = {f"service/default/{name}" for name in self.objects}
        orphans = {finding.name for finding in self.publisher.state().orphans if finding.object not in known}
        assert self._names(self.content, orphans) == self._names(zones.sets[ZONE])

    def _names(
        self, content: Mapping[tuple[str, str], RecordSet], but: Collection[str] = ()
    ) -> dict[tuple[str, str], RecordSet]:
        """What the federation has in a zone, without the zone marker and some names."""
        left = {FENCE, *but, *(f"_rancherctl.{name}" for name in but)}
        return {key: s for key, s in content.items() if key[0] not in left and key not in self.foreign}

    def _note_published(self) -> None:
        there = {name for name in self.objects if (f"{name}.default.acme.svc.{ZONE}", "A") in self.content}
        self.once = (self.once | there) & (self.objects.keys() - self.gone)

    def _want(self, publisher: DnsPublisher | None = None) -> None:
        verdicts = {self._address(m): Verdict(True, "down", 0.0) for m in self.down}
        known = [p for m, p in self.places.items() if m not in self.unread]
        (publisher or self.publisher).want(
            [self._service(name) for name in self.objects if name not in self.hidden],
            verdicts,
            places=known,
            gone={f"default/{n}" for n in self.gone},
        )

    def _service(self, name: str) -> FederatedService:
        shards = []
        for m in sorted(self.selected[name]):
            if m in self.unread:
                shards.append(Shard(m, api_reachable=False))
                continue
            place = self.places[m]
            shards.append(
                Shard(
                    m,
                    place,
                    (ShardAddress(self._address(m), place, (80,)),),
                    ready=(name, m) not in self.unready,
                    drained=m in self.drained,
                )
            )
        return FederatedService("default", name, shards=tuple(shards), **self.objects[name])  # type: ignore[arg-type]

    def _address(self, member: str) -> str:
        return f"203.0.113.{MEMBERS.index(member) + 1}"

    def _ours(self) -> set[tuple[str, str]]:
        view = zone_view(self.content.values(), FENCE)
        return {
            (name, s.type)
            for name, state in view.names.items()
            if state.marker and state.marker.owner == OWNER
            for s in state.owned()
            if (name, s.type) not in self.foreign
        }

    def _lives(self, name: str) -> bool:
        return any(
            m not in self.unread | self.drained | self.down and (name, m) not in self.unready
            for m in self.selected[name]
        )

    def _check_wanted(self) -> None:
        """Each Service with a living shard has exactly the addresses of the living ones, unless others are there."""
        view = zone_view(self.content.values(), FENCE)
        conflicts = {finding.name for finding in self.publisher.state().conflicts}
        for name in self.objects:
            last = f"{name}.default.acme.svc.{ZONE}"
            if not self._lives(name) or name in self.gone or name in self.hidden:
                continue
            if any(key in self.foreign for key in ((last, t) for t in (*OUR_TYPES,))) or (
                (f"_rancherctl.{last}", "TXT") in self.foreign
            ):
                assert last in conflicts
                continue
            living = {
                self._address(m)
                for m in self.selected[name]
                if m not in self.unread | self.drained | self.down and (name, m) not in self.unready
            }
            found = set(view.names[last].addresses())
            if self.objects[name]["priority"] is None and not self.unread:
                assert found == living
            assert found
        for name in self.deleted - self.objects.keys():
            assert not [
                n
                for n in view.names
                if n.startswith(f"{name}.default.") and (state := view.names[n]).marker and state.marker.owner == OWNER
            ]

    @invariant()
    def no_name_is_empty_while_its_service_is_there(self) -> None:
        """Once published, a name has addresses until its Service goes, whatever happens to shards and writes."""
        for name in getattr(self, "once", set()):
            last = f"{name}.default.acme.svc.{ZONE}"
            if last not in self.disturbed:
                assert (last, "A") in self.content, last

    @invariant()
    def no_record_of_others_is_touched(self) -> None:
        for key, record_set in getattr(self, "foreign", {}).items():
            assert self.content.get(key) == record_set

    @invariant()
    def no_data_stands_beside_an_alias(self) -> None:
        content = getattr(self, "content", {})
        aliases = {name for name, kind in content if kind == "CNAME"}
        assert not {(name, kind) for name, kind in content if name in aliases and kind != "CNAME"}

    @invariant()
    def no_alias_is_written_if_types_cannot_change(self) -> None:
        if hasattr(self, "capabilities") and not self.capabilities.atomic:
            assert not {key for key in self.content.keys() - self.foreign.keys() if key[1] == "CNAME"}

    @invariant()
    def no_alias_leads_to_records_of_others(self) -> None:
        """Once it is known that they are there."""
        if not getattr(self, "edited", True) and not self.publisher.state().problem:
            theirs = {name for name, kind in self.foreign if kind in OUR_TYPES}
            for key, alias in self._names(self.content).items():
                assert key[1] != "CNAME" or theirs.isdisjoint(alias.rdatas)


PublisherMachine.TestCase.settings = hypothesis_settings(
    max_examples=150, stateful_step_count=40, deadline=None, phases=(Phase.explicit, Phase.generate)
)
TestPublisherMachine = PublisherMachine.TestCase

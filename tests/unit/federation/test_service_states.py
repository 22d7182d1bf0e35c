"""The states of Services are computed again only where something has changed, and are the same as without memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rancherctl.federation import service_states
from rancherctl.federation.conditions import DNS, Condition
from rancherctl.federation.model import Lookup, Place
from rancherctl.federation.objects import Federated
from rancherctl.federation.plan import CopyState, State, WantedCopies
from rancherctl.federation.service_states import ServiceState, ServiceStates
from rancherctl.federation.shards import Member
from rancherctl.federation.status import DnsPart, service_status
from rancherctl.federation.topology import Topology
from rancherctl.federation.wanted import wanted_copies
from tests.fakes.federation import FEDERATION, UID, copy_of, member, namespace_json, service_json, source_of

SPACE = source_of(namespace_json())
WEB, API = source_of(service_json("web")), source_of(service_json("api"))
Members = dict[str, Member]


def two_members() -> Members:
    copies = [copy_of(WEB, addresses=("203.0.113.1", "lb")), copy_of(API, addresses=("203.0.113.2",))]
    return {name: member(name, *copies) for name in ("m1", "m2")}


def update(
    states: ServiceStates, members: Members, services: tuple[Federated, ...] = (WEB, API), **more: Any
) -> dict[str, ServiceState]:
    wanted = wanted_copies(FEDERATION, UID, services, {"default": SPACE}, members.values(), {})
    wanted |= more.get("wanted", {})
    return states.update(
        {s.id.key: s for s in services}, members, wanted, more.get("withdrawn", frozenset()), more.get("dns", {})
    )


def view(members: Members, **changes: Any) -> Members:
    """The members, of which m1 is seen otherwise."""
    return {**members, "m1": replace(members["m1"], view=replace(members["m1"].view, **changes))}


def states_of(source: Federated, state: CopyState) -> dict[str, Any]:
    return {"states": {source.id: state}}


CHANGES: dict[str, Any] = {
    "an address": lambda m: (view(m, copies={**m["m1"].view.copies, WEB.id: copy_of(WEB, addresses=())}), {}),
    "a copy that is gone": lambda m: (view(m, copies={API.id: m["m1"].view.copies[API.id]}), {}),
    "endpoints": lambda m: (view(m, ready={**m["m1"].view.ready, WEB.id.key: False}), {}),
    "a conflict": lambda m: (view(m, **states_of(WEB, CopyState(State.CONFLICT, "Exists", "was there"))), {}),
    "a copy that is held": lambda m: (view(m, held=(WEB.id,)), {}),
    "an API that is away": lambda m: (view(m, reachable=False), {}),
    "a drained member": lambda m: ({**m, "m1": replace(m["m1"], drained=True)}, {}),
    "networks of a member": lambda m: ({**m, "m1": replace(m["m1"], addresses=("192.0.2.0/24",))}, {}),
    "a host name that is resolved": lambda m: (
        {**m, "m1": replace(m["m1"], hosts={"lb": Lookup(("203.0.113.9",))})},
        {},
    ),
    "another place": lambda m: ({**m, "m1": replace(m["m1"], topology=Topology(Place("eu", "a"), {}))}, {}),
    "a member that left": lambda m: ({"m2": m["m2"]}, {}),
    "a selector": lambda m: (m, {"wanted": {"m1": WantedCopies(FEDERATION, UID, selected={API.id: API})}}),
    "an address that is dead": lambda m: (m, {"withdrawn": frozenset({"203.0.113.1"})}),
    "public DNS": lambda m: (m, {"dns": {WEB.id.key: DnsPart(Condition(DNS, "True", "Published", ""), 2)}}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen(what: str) -> None:
    states = ServiceStates("keep")
    before = update(states, two_members())
    members, more = CHANGES[what](two_members())
    found = update(states, members, **more)
    assert found == update(ServiceStates("keep"), members, **more)
    assert found[WEB.id.key] != before[WEB.id.key]


def test_what_has_not_changed_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []
    real = service_status

    def spy(service: Federated, *rest: Any) -> Any:
        computed.append(service.meta.name)
        return real(service, *rest)

    monkeypatch.setattr(service_states, "service_status", spy)
    states, members = ServiceStates("keep"), two_members()
    update(states, members)
    computed.clear()
    update(states, two_members())
    assert computed == []
    update(states, view(members, ready={**members["m1"].view.ready, WEB.id.key: False}))
    assert computed == ["web"]


def test_a_stored_status_is_written_once() -> None:
    """What is written comes back by the watch as another object."""
    states, members = ServiceStates("keep"), two_members()
    found = update(states, members)[WEB.id.key]
    assert found.write
    status = found.status
    conditions = tuple(
        {"type": c.type, "status": c.status, "reason": c.reason, "message": c.message} for c in status.conditions
    )
    stored = replace(WEB, published=status.addresses, status=status.annotation, conditions=conditions)
    assert not update(states, members, (stored, API))[WEB.id.key].write

"""What each member serves of a federated Service, from the member's view and its Cluster. Pure.

A member that has not been seen since this process started is taken as the status annotation of the Service says, so
that a restart while a member's API is away changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rancherctl.federation.member_view import MemberView
from rancherctl.federation.model import FederatedService, Lookup, Place, Shard, ShardAddress
from rancherctl.federation.objects import CopyView, Federated
from rancherctl.federation.plan import State
from rancherctl.federation.topology import Topology, refusal
from rancherctl.net import address_key

_NOT_YET: Final = Lookup()
MAX_ADDRESSES: Final = 16
"""Of one Service in one member; more are not published."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as its Cluster and its worker show it. ``addresses``: networks that it may publish. ``hosts``: what is
    known of the host names that its load balancers have.

    ``leaving``: its names are being taken away; ``leave``: they are gone, and its copies are to be kept or deleted.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    drained: bool = False
    leaving: bool = False
    leave: str = ""
    force: bool = False
    topology: Topology = field(default_factory=lambda: Topology(Place(), {}))
    hosts: Mapping[str, Lookup] = field(default_factory=dict)
    view: MemberView = field(default_factory=lambda: MemberView(""))


def shard(service: Federated, member: Member, last: Mapping[str, Any] | None) -> Shard | None:
    """The member's part of a Service; None if it has none. ``last``: what its status said of the member."""
    view = member.view
    if not view.known:
        return _last_known(member, last) if last else None
    copy = view.copies.get(service.id)
    if copy is None:
        return None
    state = view.states.get(service.id)
    refused: dict[str, str] = {}
    addresses: list[ShardAddress] = []
    found = _candidates(copy, member, last, refused) if copy.type == "LoadBalancer" else {}
    for address in sorted(found, key=address_key):
        why = refusal(address, member.addresses)
        if why and found[address]:
            why = f"an address of {found[address]}, and {why}"
        if not why and len(addresses) >= MAX_ADDRESSES:
            why = f"more than {MAX_ADDRESSES} addresses of one Service"
        if why:
            refused[address] = why
        else:
            place = member.topology.addresses.get(address, member.topology.place)
            addresses.append(ShardAddress(address, place, copy.ports))
    return Shard(
        member.name,
        member.topology.place,
        tuple(addresses),
        in_sync=not view.reachable or (state is not None and state.state in (State.IN_SYNC, State.PENDING)),
        ready=view.ready.get(service.id.key, False) if copy.has_selector else None,
        drained=member.drained or member.leaving,
        api_reachable=view.reachable,
        refused=refused,
    )


def _candidates(
    copy: CopyView, member: Member, last: Mapping[str, Any] | None, refused: dict[str, str]
) -> dict[str, str]:
    """Address → the host name that it is of ("" = none). Adds names that cannot be resolved to ``refused``.

    A name without an answer since this process started has the addresses that the status of the Service says.
    """
    found = dict.fromkeys(copy.addresses, "")
    for name in copy.host_names:
        lookup = member.hosts.get(name, _NOT_YET)
        if lookup.problem:
            refused[name] = lookup.problem
        for address in lookup.addresses or tuple(map(str, (last or {}).get("addresses") or ())):
            found.setdefault(address, name)
    return found


def _last_known(member: Member, last: Mapping[str, Any]) -> Shard:
    region, zone = last.get("region") or None, last.get("zone") or None
    ports = tuple(int(port) for port in last.get("ports") or ())
    addresses = tuple(ShardAddress(str(a), Place(region, zone), ports) for a in last.get("addresses") or ())
    return Shard(
        member.name,
        Place(region, zone),
        addresses,
        in_sync=True,
        ready=None,
        drained=member.drained or member.leaving,
        api_reachable=False,
    )


def federated_service(service: Federated, shards: Sequence[Shard], when_none: str) -> FederatedService:
    """What the public DNS needs of a Service; ``when_none`` is the federation's default."""
    options = service.options
    return FederatedService(
        service.meta.namespace,
        service.meta.name,
        service.meta.uid,
        service.meta.created,
        tuple(shards),
        options.hostnames,
        options.priority,
        options.when_none or when_none,
        options.health_check,
    )

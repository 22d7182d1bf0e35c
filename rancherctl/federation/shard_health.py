"""Which addresses of a Service are published, and of all others why not. Pure: time is passed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from rancherctl.federation.addresses import never_published
from rancherctl.federation.model import FederatedService, Shard, ShardAddress, Verdict
from rancherctl.federation.probe_targets import verdict_keys

UNLISTED: Final = float("inf")
"""The rank of members that a priority does not name."""
_AFTER = re.compile(r"(?:drop|remove)-after (\d{1,6})([smh])")
_UNIT = {"s": 1, "m": 60, "h": 3600}


def healthy_addresses(
    service: FederatedService, withdrawn: Mapping[str, Verdict], passed: Callable[[float], bool]
) -> tuple[list[ShardAddress], dict[str, str]]:
    """The addresses to publish, and of all others why not; of two members with one address, any healthy one is enough.

    ``withdrawn``: verdicts of addresses that vantage points keep out; ``passed``: whether a moment is over.
    """
    found: list[tuple[float, ShardAddress]] = []
    withheld: dict[str, str] = {}
    for shard in service.shards:
        withheld.update(shard.refused)
        rank = UNLISTED if service.priority is None else service.priority.get(shard.member, UNLISTED)
        unhealthy = _unhealthy(shard)
        for address in shard.addresses:
            why = shard.refused.get(address.address, "") if shard.refused else ""
            why = why or never_published(address.address) or unhealthy
            if withdrawn and not why:
                why = _withdrawn(service, address, withdrawn, passed)
            if why:
                withheld.setdefault(address.address, why)
            else:
                found.append((rank, address))
    if service.priority is not None and found:
        best = min(rank for rank, _ in found)
        for rank, address in found:
            if rank > best:
                withheld[address.address] = f"standby: priority {_rank(rank)}, members of {_rank(best)} are healthy"
        found = [(rank, address) for rank, address in found if rank == best]
    if withheld:
        for _, address in found:
            withheld.pop(address.address, None)
    return [address for _, address in found], withheld


def _withdrawn(
    service: FederatedService,
    address: ShardAddress,
    withdrawn: Mapping[str, Verdict],
    passed: Callable[[float], bool],
) -> str:
    """Why the vantage points keep an address out, as the Service's ``offline`` says; "" if they do not."""
    if service.offline == "keep":
        return ""
    for key in verdict_keys(service, address):
        verdict = withdrawn.get(key)
        if verdict is None:
            continue
        if (wait := delay(service.offline)) is not None and not passed(verdict.since + wait):
            continue
        return verdict.reason or "it does not answer"
    return ""


def _unhealthy(shard: Shard) -> str:
    if shard.drained:
        return f"member {shard.member} is drained"
    if not shard.in_sync:
        return f"the copy in {shard.member} is not in sync"
    if shard.ready is False:
        return f"no ready endpoint in {shard.member}"
    return ""


def _rank(rank: float) -> str:
    return "unlisted" if rank == UNLISTED else f"{rank:g}"


def delay(text: str) -> float | None:
    """Seconds of ``drop-after 10m`` and ``remove-after 10m``; None for other words."""
    found = _AFTER.fullmatch(text)
    return None if found is None else float(int(found[1]) * _UNIT[found[2]])

"""From what the kernel has to what it should have: a plan keyed by kind and name. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rancherctl import change
from rancherctl.network.model import NetworkState, Observed, Route, Tunnel, Vxlan

Item = str | Route | Tunnel | tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """The nft table as we loaded it (``text``) and as nft listed it right after (``listing``): how a foreign change is seen."""

    text: str = ""
    listing: str = ""


def _device(vxlan: Vxlan | None) -> dict[str, Item]:
    if vxlan is None:
        return {}
    device: dict[str, Item] = {"vxlan": (vxlan.address, vxlan.mac, vxlan.local, vxlan.mtu)}
    return device | {f"tunnel/{t.address}": t for t in vxlan.tunnels}


def wanted(state: NetworkState) -> dict[str, Item]:
    """The state as a flat mapping."""
    items: dict[str, Item] = {f"address/{a}": a for a in state.dns_addresses}
    items |= {f"route/{r.destination}": r for r in state.routes}
    items |= _device(state.vxlan)
    items |= {"nft": state.nft}
    if state.cni:
        items["cni"] = state.cni
    if state.forwarding:
        items["forwarding"] = "1"
    return items


def present(seen: Observed, state: NetworkState, loaded: LoadedTable) -> dict[str, Item]:
    """What is there, in the same keys; foreign addresses and settings are left out, a changed nft table shows as another text."""
    items: dict[str, Item] = {f"address/{a}": a for a in state.dns_addresses if a in seen.dns_addresses}
    items |= {f"route/{r.destination}": r for r in seen.routes}
    items |= _device(seen.vxlan)
    if seen.nft:
        items["nft"] = loaded.text if seen.nft == loaded.listing else seen.nft
    if seen.cni:
        items["cni"] = seen.cni
    if state.forwarding and seen.forwarding:
        items["forwarding"] = "1"
    return items


def plan(seen: Observed, state: NetworkState, loaded: LoadedTable) -> change.Plan[Item]:
    """The changes; empty when the host is as it should be."""
    have, want = present(seen, state, loaded), wanted(state)
    if have.get("vxlan") != want.get("vxlan"):
        # a device that is made anew has lost its tunnels, and the kernel the routes through it
        have = {key: item for key, item in have.items() if not _through_device(item)}
    return change.diff(have, want)


def missing(seen: Observed, state: NetworkState) -> change.Plan[Item]:
    """The part of the plan that takes nothing away and replaces nothing: all that may be done while nobody knows what belongs here."""
    return change.Plan(tuple(each for each in plan(seen, state, LoadedTable()) if each.old is None))


def _through_device(item: Item) -> bool:
    return isinstance(item, Tunnel) or (isinstance(item, Route) and bool(item.device))

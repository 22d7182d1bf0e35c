"""The plan from the observed to the desired network, keyed by kind and name. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rancherctl import change
from rancherctl.network.model import KernelRoute, NetworkState, Observed, Tunnel, Vxlan

Item = str | KernelRoute | Tunnel | tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class LoadedTable:
    """The nft table as loaded (``text``) and as nft listed it afterwards (``listing``), to detect foreign changes."""

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
    """The observed items by the same keys, without foreign ones; a changed nft table appears as another text."""
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
    """The changes; empty if the host is up to date."""
    have, want = present(seen, state, loaded), wanted(state)
    if have.get("vxlan") != want.get("vxlan"):
        # A recreated device loses its tunnels, and the kernel drops the routes through it.
        have = {key: item for key, item in have.items() if not _through_device(item)}
    return change.diff(have, want)


def missing(seen: Observed, state: NetworkState) -> change.Plan[Item]:
    """The part of the plan that neither removes nor replaces anything: safe while the desired state is unknown."""
    return change.Plan(tuple(each for each in plan(seen, state, LoadedTable()) if each.old is None))


def _through_device(item: Item) -> bool:
    return isinstance(item, Tunnel) or (isinstance(item, KernelRoute) and bool(item.device))

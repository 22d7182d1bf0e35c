"""Apply a network plan on this host with ip, bridge and nft, and save the last state for the boot unit."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rancherctl.change import Change, Plan
from rancherctl.contract import DATA, DNS_DEVICE, VXLAN_DEVICE
from rancherctl.errors import RancherctlError
from rancherctl.hosts import nft_table
from rancherctl.hosts.command import command
from rancherctl.hosts.remote import disk
from rancherctl.hosts.transport import Transport
from rancherctl.network.model import (
    NFT_TABLE,
    ROUTE_PROTOCOL,
    VXLAN_ID,
    VXLAN_PORT,
    KernelRoute,
    NetworkState,
    Tunnel,
    from_json,
    to_json,
)
from rancherctl.network.observe import CNI_PATH, FORWARDING
from rancherctl.network.plan import Item, LoadedTable

log = logging.getLogger(__name__)
STATE = Path(DATA) / "network/state.json"


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of a plan: the nft table if it was loaded, and one line for each failed change."""

    loaded: LoadedTable | None = None
    failures: tuple[str, ...] = ()

    def raise_failures(self) -> None:
        """Raise RancherctlError with the failures, if any; the next run observes again and continues."""
        if self.failures:
            raise RancherctlError(f"{len(self.failures)} network changes failed", why="; ".join(self.failures[:5]))


def apply(transport: Transport, plan: Plan[Item]) -> Applied:
    """Apply all changes, removals of routes and tunnels first.

    A failed change (a route to a node with a bad address) does not stop the others.
    """
    loaded: LoadedTable | None = None
    failures = []
    for each in _ordered(plan):
        kind = each.key.partition("/")[0]
        try:
            if kind == "nft":
                loaded = _table(transport, str(each.new or ""))
            else:
                _STEPS[kind](transport, each)
        except (RancherctlError, OSError, disk.StepError) as error:
            failures.append(f"{each.key}: {error}")
    return Applied(loaded, tuple(failures))


_ORDER = ("forwarding", "address", "vxlan", "tunnel", "route", "nft", "cni")


def _ordered(plan: Plan[Item]) -> Iterable[Change[Item]]:
    def rank(each: Change[Item]) -> tuple[int, int, str]:
        position = _ORDER.index(each.key.partition("/")[0])
        return (0, -position, each.key) if each.new is None else (1, position, each.key)

    return sorted(plan.changes, key=rank)


def _forwarding(transport: Transport, _: Change[Item]) -> None:
    transport.run(command("sysctl", "-q", "-w", f"{'.'.join(FORWARDING.parts[3:])}=1"))


def _address(transport: Transport, each: Change[Item]) -> None:
    verb = "del" if each.new is None else "replace"
    transport.run(command("ip", "addr", verb, f"{each.new or each.old}/32", "dev", DNS_DEVICE))


def _vxlan(transport: Transport, each: Change[Item]) -> None:
    if each.old is not None:
        transport.run(command("ip", "link", "del", VXLAN_DEVICE))
    if not isinstance(each.new, tuple):
        return
    address, mac, local, mtu = each.new
    transport.run(
        command(
            *("ip", "link", "add", VXLAN_DEVICE, "address", mac, "mtu", str(mtu), "type", "vxlan"),
            *("id", str(VXLAN_ID), "dstport", str(VXLAN_PORT), "local", local, "nolearning"),
        )
    )
    transport.run(command("ip", "addr", "replace", f"{address}/32", "dev", VXLAN_DEVICE))
    transport.run(command("ip", "link", "set", VXLAN_DEVICE, "up"))


def _tunnel(transport: Transport, each: Change[Item]) -> None:
    # A device that this plan recreated has already lost its entries, hence the unchecked removals.
    for old in [each.old] if isinstance(each.old, Tunnel) else []:
        transport.run(command("bridge", "fdb", "del", old.mac, "dev", VXLAN_DEVICE), check=False)
        transport.run(command("ip", "neigh", "del", old.address, "dev", VXLAN_DEVICE), check=False)
    if isinstance(each.new, Tunnel):
        t = each.new
        transport.run(command("bridge", "fdb", "replace", t.mac, "dev", VXLAN_DEVICE, "dst", t.host))
        transport.run(
            command("ip", "neigh", "replace", t.address, "lladdr", t.mac, "dev", VXLAN_DEVICE, "nud", "permanent")
        )


def _route(transport: Transport, each: Change[Item]) -> None:
    proto = ("proto", str(ROUTE_PROTOCOL))
    if not isinstance(each.new, KernelRoute):
        if isinstance(each.old, KernelRoute):
            transport.run(command("ip", "route", "del", each.old.destination, *proto), check=False)
        return
    r = each.new
    # `replace` matches by destination: remove a route that moves to another device first, or both remain.
    if isinstance(each.old, KernelRoute) and each.old.device != r.device:
        transport.run(command("ip", "route", "del", each.old.destination, *proto), check=False)
    extra = ("dev", r.device, "onlink", "src", r.source) if r.device else ()
    transport.run(command("ip", "route", "replace", r.destination, "via", r.via, *extra, *proto))


def _table(transport: Transport, text: str) -> LoadedTable:
    return LoadedTable(text, nft_table.load(transport, NFT_TABLE, text))


def _cni(_: Transport, each: Change[Item]) -> None:
    if each.new is None:
        CNI_PATH.unlink(missing_ok=True)
    else:
        write(CNI_PATH, str(each.new))


_STEPS: dict[str, Callable[[Transport, Change[Item]], None]] = {
    "forwarding": _forwarding,
    "address": _address,
    "vxlan": _vxlan,
    "tunnel": _tunnel,
    "route": _route,
    "cni": _cni,
}


def write(path: Path, text: str) -> None:
    """Replace a file atomically, owned by this process's user; readers of *.d folders ignore the temporary file."""
    disk.write(str(path), text.encode(), 0o644, disk.owner_of(os.geteuid(), os.getegid()))


def save(state: NetworkState, path: Path = STATE) -> None:
    """Save the state for the boot unit."""
    write(path, json.dumps(to_json(state), indent=1) + "\n")


def load(path: Path = STATE) -> NetworkState | None:
    """The saved state; None if it is missing or damaged: the caller starts from its configuration."""
    try:
        return from_json(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("ignoring damaged %s: %s: %s", path, type(error).__name__, error)
        with contextlib.suppress(OSError):  # kept for inspection if the disk allows it
            path.replace(path.with_suffix(".broken"))
        return None

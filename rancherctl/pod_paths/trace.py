"""Count the packets of probes on their way through this host, with a temporary nft table. Rules only count.

Only while something fails: a rule costs every packet of the host a little.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rancherctl.contract import CHECK_DEVICE
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport
from rancherctl.pod_paths.verdict import Trace

TABLE_PREFIX = "rancherctl_paths_"
STAGES = ("entered", "passed", "returned", "arrived", "translated")


@dataclass(frozen=True, slots=True)
class Traced:
    """A destination of probes: its address as the endpoint sends to it, and the IP protocol and port.

    ``translated``: kube-proxy replaces the address on the way.
    """

    address: str
    protocol: str
    port: int
    translated: bool = False


def table_text(name: str, own: str, targets: Sequence[Traced]) -> str:
    """The nft table that counts packets from ``own`` to each target and back. Pure."""
    counters, chains = list[str](), {stage: list[str]() for stage in STAGES}
    for index, target in enumerate(targets):
        port = f"{target.protocol} dport {target.port}"
        to = f"ip saddr {own} ip daddr {target.address} {port}"
        # After kube-proxy, only connection tracking knows the address that the pod sent to.
        through = f"ip saddr {own} ct original ip daddr {target.address}" if target.translated else to
        source = "" if target.translated else f"ip saddr {target.address} "
        back = f"{source}ip daddr {own}" + ("" if target.translated else f" {target.protocol} sport {target.port}")
        counters += [f"\tcounter {stage}{index} {{ }}" for stage in STAGES]
        chains["entered"].append(f'iifname "{CHECK_DEVICE}" {to} counter name entered{index}')
        if target.translated:
            chains["translated"].append(f"{through} ct status dnat counter name translated{index}")
        chains["passed"].append(f"{through} counter name passed{index}")
        chains["returned"].append(f'iifname != "{CHECK_DEVICE}" {back} counter name returned{index}')
        chains["arrived"].append(f'oifname "{CHECK_DEVICE}" {back} counter name arrived{index}')
    rules = {
        "before": ("prerouting", -400, [*chains["entered"], *chains["returned"]]),
        "sent": ("prerouting", -50, chains["translated"]),
        "inside": ("input", 400, chains["passed"]),
        "behind": ("postrouting", 400, [*chains["passed"], *chains["arrived"]]),
    }
    lines = [f"table ip {name} {{", *counters]
    for chain, (hook, priority, body) in rules.items():
        lines += [f"\tchain {chain} {{", f"\t\ttype filter hook {hook} priority {priority}; policy accept;"]
        lines += [*(f"\t\t{rule}" for rule in body), "\t}"]
    return "\n".join([*lines, "}"]) + "\n"


def parse(listing: bytes, targets: Sequence[Traced]) -> list[Trace]:
    """The traces of the targets in the JSON that ``nft -j list table`` prints. ValueError if it is not that."""
    packets = {
        entry["counter"]["name"]: int(entry["counter"]["packets"])
        for entry in json.loads(listing).get("nftables", ())
        if "counter" in entry
    }
    out = []
    for index, target in enumerate(targets):
        entered, passed, returned, arrived, translated = (packets.get(f"{stage}{index}", 0) for stage in STAGES)
        out.append(Trace(entered, passed, returned, arrived, translated if target.translated else None))
    return out


def traced(
    transport: Transport, own: str, targets: Sequence[Traced], probe: Callable[[], object]
) -> list[Trace | None]:
    """Call ``probe`` while the packets are counted; None for each target if they cannot be counted."""
    name = f"{TABLE_PREFIX}{os.getpid()}"
    loaded = transport.run(command("nft", "-f", "-", stdin=table_text(name, own, targets)), check=False)
    if not loaded.ok:
        return [None] * len(targets)
    try:
        probe()
        listing = transport.run(command("nft", "-j", "list", "table", "ip", name), check=False)
    finally:
        transport.run(command("nft", "delete", "table", "ip", name), check=False)
    try:
        return list(parse(listing.stdout, targets)) if listing.ok else [None] * len(targets)
    except (ValueError, KeyError, TypeError, AttributeError):
        return [None] * len(targets)  # another version of nft: the cause stays unknown, the answer does not


def leftovers(transport: Transport) -> Iterable[str]:
    """Names of tables that a killed check left behind."""
    listing = transport.run(command("nft", "list", "tables", "ip"), check=False)
    names = (line.rpartition(" ")[2] for line in listing.text().splitlines()) if listing.ok else ()
    return tuple(name for name in names if name.startswith(TABLE_PREFIX))

"""What kube-proxy has programmed for published addresses: commands of nft and its notifications. Pure.

Source: kube-proxy's nftables mode, pkg/proxy/nftables of Kubernetes 1.34 to 1.36. The map ``service-ips`` leads to
Services with endpoints, ``no-endpoint-services`` to those without.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any, Final

from rancherctl.services import host_table
from rancherctl.services.model import Port

MAPS: Final = ("service-ips", "no-endpoint-services")
MAX_KEYS: Final = 1000
"""Ports asked for by one command: Linux refuses arguments of more than 128 KiB."""
_PROTOCOLS: Final = {6: "tcp", 17: "udp", 132: "sctp"}
_TABLE: Final = b"kube-proxy\x00"
_OURS: Final = host_table.TABLE.encode() + b"\x00"
_MAPS: Final = tuple(name.encode() + b"\x00" for name in MAPS)


def get(address: str, name: str, ports: Collection[Port]) -> tuple[str, ...]:
    """The command that succeeds if the map has a key for each port at this address."""
    elements = ", ".join(f"{address} . {protocol} . {number}" for protocol, number in sorted(ports))
    return ("nft", "get", "element", _family(address), "kube-proxy", name, f"{{ {elements} }}")


def list_map(address: str, name: str) -> tuple[str, ...]:
    """The command that prints a map, for ``listed``."""
    return ("nft", "--json", "list", "map", _family(address), "kube-proxy", name)


def listed(text: str, address: str) -> frozenset[Port]:
    """The ports at this address in the output of ``list_map``; none if that is not readable."""
    try:
        return frozenset(_ports_at(address, json.loads(text)["nftables"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()


def _ports_at(address: str, parts: Iterable[Any]) -> Iterable[Port]:
    for part in parts:
        for key, _ in part.get("map", {}).get("elem", ()):
            # An element with a comment is wrapped once more.
            where, protocol, number = key.get("elem", {}).get("val", key)["concat"]
            if where == address:
                yield str(_PROTOCOLS.get(protocol, protocol)), int(number)


def _family(address: str) -> str:
    return "ip6" if ":" in address else "ip"


def is_relevant(datagram: bytes) -> bool:
    """Whether a notification of nftables may concern these maps or our table. An empty one (some were lost) does."""
    return not datagram or _OURS in datagram or (_TABLE in datagram and any(name in datagram for name in _MAPS))

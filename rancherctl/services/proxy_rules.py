"""What kube-proxy has programmed for published addresses: commands of nft and its notifications. Pure.

Source: kube-proxy's nftables mode, pkg/proxy/nftables of Kubernetes 1.34 to 1.36. The map ``service-ips`` leads to
Services with endpoints, ``no-endpoint-services`` to those without.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from rancherctl.services.model import Port

MAPS: Final = ("service-ips", "no-endpoint-services")
_TABLE: Final = b"kube-proxy\x00"
_MAPS: Final = tuple(name.encode() + b"\x00" for name in MAPS)


def get(address: str, name: str, ports: Collection[Port]) -> tuple[str, ...]:
    """The command that succeeds if the map has a key for each port at this address."""
    elements = ", ".join(f"{address} . {protocol} . {number}" for protocol, number in sorted(ports))
    return ("nft", "get", "element", "ip6" if ":" in address else "ip", "kube-proxy", name, f"{{ {elements} }}")


def is_relevant(datagram: bytes) -> bool:
    """Whether a notification of nftables may concern these maps. An empty one (some were lost) does."""
    return not datagram or (_TABLE in datagram and any(name in datagram for name in _MAPS))

"""Names in DNS: valid labels, reverse names of addresses, reverse zones of networks. Pure."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from rancherctl.names import is_dns_label

_TARGET_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
REVERSE_POLICY = "reverse.rpz."
"""Response policy zone with the reverse names of endpoints outside the pod and service networks (decision 33)."""
_MARKER_LABEL, _POLICY_MARKER_LABEL = "_rancherctl", "~rancherctl"
LONGEST = 254
"""Characters of an absolute name with its final dot (RFC 1035: 255 octets on the wire)."""


def is_label(text: str) -> bool:
    """Whether the text is one label; checked again here because the name ends up in a zone file."""
    return is_dns_label(text)


def target(text: str) -> str:
    """An external name as an absolute name in lower case; "" if it is not valid."""
    name = text.lower().removesuffix(".")
    valid = name and len(name) < LONGEST and all(_TARGET_LABEL.fullmatch(label) for label in name.split("."))
    return f"{name}." if valid else ""


def address(text: str) -> tuple[str, str]:
    """The normal form of an address and its type (``A``, ``AAAA``); ("", "") if it is not an address.

    inet_pton instead of net.parse_ip: ten times faster, and called for every endpoint.
    """
    family, kind = (socket.AF_INET6, "AAAA") if ":" in text else (socket.AF_INET, "A")
    try:
        packed = socket.inet_pton(family, text)
    except (OSError, ValueError):  # ValueError: a NUL byte or a character outside ASCII
        return "", ""
    return socket.inet_ntop(family, packed), kind


def dashed(normal_address: str) -> str:
    """The label of an endpoint or pod without a hostname: ``10-42-0-5``, ``fd00--5``."""
    return normal_address.replace(".", "-").replace(":", "-")


def reverse(normal_address: str) -> str:
    """The reverse name of an address, absolute."""
    if ":" in normal_address:
        return ".".join(reversed(socket.inet_pton(socket.AF_INET6, normal_address).hex())) + ".ip6.arpa."
    return ".".join(reversed(normal_address.split("."))) + ".in-addr.arpa."


def address_of(reverse_name: str) -> str:
    """The address whose reverse name this is, in its normal form; "" if it is not the name of one address."""
    labels = reverse_name.rstrip(".").lower().split(".")
    if labels[-2:] == ["in-addr", "arpa"]:
        return address(".".join(reversed(labels[:-2])))[0]
    digits = "".join(reversed(labels[:-2])) if labels[-2:] == ["ip6", "arpa"] and len(labels) == 34 else ""
    return address(":".join(digits[n : n + 4] for n in range(0, 32, 4)))[0] if digits else ""


@lru_cache(maxsize=64)
def reverse_zones(cidr: str) -> tuple[str, ...]:
    """The zones that cover a network: several if its prefix does not end at a label (a /12 is sixteen /16 zones)."""
    network = ip_network(cidr, strict=False)
    step = 8 if isinstance(network, IPv4Network) else 4
    prefix = max(step, -(-network.prefixlen // step) * step)
    if isinstance(network, IPv4Network):
        prefix = min(prefix, 24)
    if prefix < network.prefixlen:
        return (_zone_of(network.supernet(new_prefix=prefix), step),)
    return tuple(_zone_of(part, step) for part in network.subnets(new_prefix=prefix))


def _zone_of(network: IPv4Network | IPv6Network, step: int) -> str:
    labels = network.network_address.reverse_pointer.split(".")
    cut = (network.max_prefixlen - network.prefixlen) // step
    return ".".join(labels[cut:]) + "."


def all_zones(domain: str, cidrs: Iterable[str]) -> tuple[str, ...]:
    """Every zone that a host serves: the cluster's domain, the reverse zones of its networks, and REVERSE_POLICY."""
    return (f"{domain}.", *sorted({zone for cidr in cidrs for zone in reverse_zones(cidr)}), REVERSE_POLICY)


def pointer_owner(normal_address: str, zones: frozenset[str]) -> str:
    """The owner of an address's PTR records: its reverse name, below REVERSE_POLICY if no reverse zone covers it."""
    name = reverse(normal_address)
    return name if zone_of(name, zones) else name + REVERSE_POLICY


def queried(owner: str) -> str:
    """The name that clients ask for to get the records of ``owner``."""
    return owner.removesuffix(REVERSE_POLICY) if owner.endswith(f".arpa.{REVERSE_POLICY}") else owner


def marker_name(zone: str) -> str:
    """The owner of the TXT record that describes the state of a zone; never part of a plan.

    In REVERSE_POLICY it sorts after all other names. BIND searches a balanced tree of their last labels for every
    query; ``arpa``, the top label of the cluster's domain (records.fixed_records) and this one put the cluster's label,
    the middle one, at the root (decision 33).
    """
    return f"{_POLICY_MARKER_LABEL if zone == REVERSE_POLICY else _MARKER_LABEL}.{zone}"


def zone_of(name: str, zones: frozenset[str]) -> str:
    """The longest of ``zones`` that contains the name; "" if none does."""
    rest = name
    while rest:
        if rest in zones:
            return rest
        rest = rest.partition(".")[2]
    return ""

"""IP addresses, networks and host:port pairs as text. Pure: no look-ups. Standard library only, used on hosts too.

Scoped addresses (``fe80::1%eth0``) are never accepted: after a ``%`` the standard library accepts any text, even line
ends.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


def parse_ip(text: str) -> IPAddress | None:
    """The address, or None if ``text`` is not one (names, scoped addresses)."""
    if "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=1 << 14)
def is_ip(text: str) -> bool:
    """Whether ``text`` is an IPv4 or IPv6 address without a scope."""
    return parse_ip(text) is not None


def unmapped(ip: IPAddress) -> IPAddress:
    """An IPv4 address written inside IPv6 (``::ffff:10.0.0.1``) as IPv4; any other address unchanged."""
    return (ip.ipv4_mapped if isinstance(ip, IPv6Address) else None) or ip


@lru_cache(maxsize=1 << 14)
def canonical_ip(text: str) -> str:
    """The usual spelling of an address, IPv4-mapped IPv6 as IPv4; "" if ``text`` is not an address."""
    ip = parse_ip(text)
    return str(unmapped(ip)) if ip is not None else ""


@lru_cache(maxsize=1 << 12)
def address_key(address: str) -> tuple[int, int, str]:
    """Sort key: IPv4 by number, then IPv6, then names."""
    ip = parse_ip(address)
    return (9, 0, address) if ip is None else (ip.version, int(ip), "")


def parse_network(text: str) -> IPNetwork | None:
    """The network of ``10.0.0.0/8`` (host bits must be zero), or None."""
    if "%" in text:
        return None
    try:
        return ip_network(text)
    except ValueError:
        return None


def canonical_network(text: str) -> str:
    """The usual spelling of a network, an address as a network of one; the text itself if it is neither."""
    network = parse_network(text)
    return text if network is None else str(network)


def bracketed(address: str) -> str:
    """An address as written before a port: ``[fd00::1]``; names and IPv4 unchanged."""
    return f"[{address}]" if ":" in address else address


def join_host_port(host: str, port: int) -> str:
    """``10.0.0.1:443``, ``[fd00::1]:443``."""
    return f"{bracketed(host)}:{port}"


def split_host_port(text: str) -> tuple[str, str | None]:
    """Host and port of ``HOST[:PORT]``, unchecked; the port is None if absent. IPv6 with a port needs brackets."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":") if rest else None
    host, colon, rest = text.partition(":")
    return (host, rest if colon else None) if ":" not in rest else (text, None)


def split_server(text: str, port: int) -> tuple[str, int] | None:
    """Address and port of ``IP``, ``IP:PORT`` or ``[IPv6]:PORT``; None if it is not valid. ``port`` is the default."""
    address, given = split_host_port(text)
    if text.startswith("["):
        rest = text[1 + len(address) :]
        if ":" not in address or not (rest == "]" or rest.startswith("]:")):
            return None
    number = port if given is None else parse_port(given)
    return (canonical_ip(address), number) if is_ip(address) and number is not None else None


def parse_port(text: str) -> int | None:
    """A TCP or UDP port from its decimal text (1 to 65535), or None."""
    if text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    return None

"""Which addresses no member may publish. Pure."""

from __future__ import annotations

from functools import lru_cache

from rancherctl.net import parse_ip, unmapped


@lru_cache(maxsize=1 << 14)
def never_published(address: str) -> str:
    """What makes ``address`` unfit for public DNS, wherever it is; "" if it may be published."""
    ip = parse_ip(address)
    if ip is None:
        return "not an IP address"
    if unmapped(ip) != ip:
        return "an IPv4 address in IPv6 form"
    for refused, word in (
        (ip.is_unspecified, "the unspecified address"),
        (ip.is_loopback, "a loopback address"),
        (ip.is_link_local, "a link-local address"),
        (ip.is_multicast, "a multicast address"),
        (ip.version == 4 and (int(ip) == 0xFFFFFFFF or int(ip) >> 24 == 0), "a reserved address"),
    ):
        if refused:
            return word
    return ""

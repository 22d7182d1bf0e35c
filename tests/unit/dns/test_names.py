"""Names, reverse names and reverse zones."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.dns import names


@pytest.mark.parametrize(
    ("cidr", "zones"),
    [
        ("10.43.0.0/16", ("43.10.in-addr.arpa.",)),
        ("10.42.8.0/22", tuple(f"{n}.42.10.in-addr.arpa." for n in range(8, 12))),
        ("10.96.0.0/12", tuple(f"{n}.10.in-addr.arpa." for n in range(96, 112))),
        ("10.0.0.0/8", ("10.in-addr.arpa.",)),
        ("192.0.2.128/25", ("2.0.192.in-addr.arpa.",)),
        ("fd00:43::/112", ("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.0.0.0.0.d.f.ip6.arpa.",)),
    ],
)
def test_reverse_zones_cover_the_network_at_label_boundaries(cidr: str, zones: tuple[str, ...]) -> None:
    assert names.reverse_zones(cidr) == zones


@given(st.ip_addresses().map(str), st.integers(1, 60))
def test_every_address_of_a_network_is_in_one_of_its_zones(address: str, prefix: int) -> None:
    bits = ip_address(address).max_prefixlen
    network = ip_network(f"{address}/{min(bits, max(8, prefix if bits == 32 else prefix + 60))}", strict=False)
    zones = frozenset(names.reverse_zones(str(network)))
    assert names.zone_of(names.reverse(address), zones)


@given(st.text(max_size=80))
def test_normal_addresses_are_fixed_points(text: str) -> None:
    normal, kind = names.address(text)
    assert bool(normal) == bool(kind)
    if normal:
        assert names.address(normal) == (normal, kind)


@given(st.text(max_size=300))
def test_a_target_has_valid_lengths(text: str) -> None:
    found = names.target(text)
    assert not found or (len(found) <= 254 and all(0 < len(label) <= 63 for label in found[:-1].split(".")))


def test_a_reverse_name_leads_back_to_its_address() -> None:
    for text in ("10.43.0.1", "fd00::5", "2001:db8:1:2::a"):
        assert names.address_of(names.reverse(text)) == text
    for name in ("", "43.10.in-addr.arpa.", "x.ip6.arpa.", "web.default.svc.cluster.local.", "a.b.c.d.in-addr.arpa."):
        assert names.address_of(name) == ""

"""Names, addresses and subnets of labs."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.errors import ConflictError, NotFoundError, UsageError
from rancherctl.lab.model import POOL, Lab, LabSpec, asked, check_name, free_networks, grown, system_named

ONE = (IPv4Network("10.77.3.0/24"),)
TWO = (*ONE, IPv4Network("10.77.9.0/24"))


def lab(hosts: int = 4, subnets: int = 1) -> Lab:
    return Lab(LabSpec("lab", hosts, subnets), TWO[:subnets])


def test_hosts_of_one_subnet_are_numbered_from_eleven() -> None:
    assert [(host.name, str(host.address)) for host in lab(3).hosts] == [
        ("h1", "10.77.3.11"),
        ("h2", "10.77.3.12"),
        ("h3", "10.77.3.13"),
    ]


def test_hosts_alternate_over_two_subnets_and_the_second_is_reached_through_the_first_host() -> None:
    found = lab(4, 2)
    assert [(str(h.address), b.name if (b := found.bastion(h)) else "") for h in found.hosts] == [
        ("10.77.3.11", ""),
        ("10.77.9.12", "h1"),
        ("10.77.3.13", ""),
        ("10.77.9.14", "h1"),
    ]


def test_a_full_lab_stays_clear_of_router_and_machine() -> None:
    found = lab(60)
    taken = {found.gateway(0), found.machine_address}
    assert taken == {IPv4Address("10.77.3.1"), IPv4Address("10.77.3.254")}
    assert not taken & {host.address for host in found.hosts}
    assert all(host.address in ONE[0] for host in found.hosts)


def test_interface_name_fits_the_kernels_limit_and_follows_the_subnet() -> None:
    last = Lab(LabSpec("l", 1), (IPv4Network("10.77.255.0/24"),))
    assert len(last.machine_link) <= 15
    assert last.machine_link != lab().machine_link


@pytest.mark.parametrize("hosts", [0, -1, 61])
def test_impossible_numbers_of_hosts_are_refused(hosts: int) -> None:
    with pytest.raises(UsageError, match="1 to 60"):
        LabSpec("lab", hosts)


@pytest.mark.parametrize("subnets", [0, 3])
def test_impossible_numbers_of_subnets_are_refused(subnets: int) -> None:
    with pytest.raises(UsageError, match="1 to 2"):
        LabSpec("lab", 2, subnets)


@pytest.mark.parametrize("name", ["", "A", "1lab", "a/b", "..", "a b", "x" * 21, "a\n"])
def test_names_that_are_not_safe_as_file_or_interface_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        check_name(name)


def test_unknown_system_names_the_known_ones() -> None:
    assert system_named("debian12") == "debian12"
    with pytest.raises(UsageError, match="debian12, debian13"):
        system_named("ubuntu")


def test_unknown_host_names_the_hosts() -> None:
    with pytest.raises(NotFoundError) as caught:
        lab(2).host("h3")
    assert "h1, h2" in caught.value.hint


def test_a_growing_lab_keeps_addresses() -> None:
    before = lab(3, 2)
    after = grown(before, LabSpec("lab", 6, 2))
    assert after.hosts[:3] == before.hosts


def test_omitted_options_come_from_the_existing_lab_or_the_defaults() -> None:
    have = LabSpec("two", 6, 2, bare=True, os="debian12")
    assert asked("two", have, hosts=None, subnets=None, bare=None, os=None) == have
    assert asked("two", have, hosts=7, subnets=None, bare=None, os=None) == LabSpec(
        "two", 7, 2, bare=True, os="debian12"
    )
    assert asked("two", None, hosts=None, subnets=None, bare=True, os=None) == LabSpec("two", 4, bare=True)
    site = LabSpec("two", 6, firewall="nft", filter_pod_sources=True)
    assert asked("two", site, hosts=None, subnets=None, bare=None, os=None) == site
    passing = asked("two", site, hosts=None, subnets=None, bare=None, os=None, filter_pod_sources=False)
    assert passing == replace(site, filter_pod_sources=False)
    assert grown(Lab(site, TWO[:1]), passing).spec == passing


@pytest.mark.parametrize(
    "spec",
    [
        LabSpec("lab", 3),
        LabSpec("lab", 4, 2),
        LabSpec("lab", 4, bare=True),
        LabSpec("lab", 4, os="debian12"),
        LabSpec("lab", 4, firewall="ufw"),
    ],
)
def test_a_lab_cannot_shrink_or_change_its_shape(spec: LabSpec) -> None:
    with pytest.raises(ConflictError) as caught:
        grown(lab(4), spec)
    assert "down --name lab" in caught.value.hint


@given(st.sets(st.integers(0, 255), max_size=256), st.integers(1, 2))
def test_free_networks_are_free_distinct_and_in_the_pool(taken: set[int], count: int) -> None:
    used = frozenset(IPv4Network(f"10.77.{n}.0/24") for n in taken)
    if 256 - len(taken) < count:
        with pytest.raises(ConflictError):
            free_networks(count, used)
        return
    found = free_networks(count, used)
    assert len(set(found)) == count
    assert not set(found) & used
    assert all(network.subnet_of(POOL) for network in found)


def test_a_host_route_occupies_its_subnet_and_the_default_route_none() -> None:
    taken = frozenset({IPv4Network("10.77.0.7/32"), IPv4Network("0.0.0.0/0")})
    assert free_networks(1, taken) == (IPv4Network("10.77.1.0/24"),)

"""From a Service port to the servers behind it."""

from __future__ import annotations

import dataclasses
import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.model import BackendRef, Server
from rancherctl.ingress.translate import endpoints
from rancherctl.net import canonical_ip
from tests.fakes import ingress as fake

WEB = BackendRef("default", "web", 80)


def test_terminating_endpoints_serve_only_if_none_is_ready() -> None:
    services = {"default/web": fake.service("web")}
    leaving = fake.endpoint_slice("web", [("10.0.0.2", 8080)], ready=False, serving=True, terminating=True)
    gone = fake.endpoint_slice("web", [("10.0.0.3", 8080)], ready=False, serving=False, terminating=True)
    ready = fake.endpoint_slice("web", [("10.0.0.1", 8080), ("127.0.0.1", 8080), ("169.254.20.10", 53)])
    find = lambda *slices: endpoints.servers_of(WEB, services, endpoints.by_service(slices), {}).servers
    assert find(leaving, gone, ready) == (Server("10.0.0.1", 8080),)
    assert find(leaving, gone) == (Server("10.0.0.2", 8080),)
    assert find(gone) == ()


def test_servers_take_turns_by_host() -> None:
    """A request that fails on a lost host is retried on the next server, which must not be on the same host."""
    services = {"default/web": fake.service("web")}
    slices = [
        fake.endpoint_slice("web", [(f"10.42.{h}.{n}", 80)], node=f"h{h}")
        for h, pods in ((1, 4), (2, 4), (3, 2))
        for n in range(pods)
    ]
    for order in (slices, slices[::-1]):
        found = endpoints.servers_of(WEB, services, endpoints.by_service(order), {}).servers
        assert len(found) == 10
        assert [s.address.split(".")[2] for s in found] == [*"123123", *"1212"]
    assert endpoints.servers_of(
        WEB, services, endpoints.by_service([fake.endpoint_slice("web", [("10.0.0.2", 80), ("10.0.0.1", 80)])]), {}
    ).servers == (
        Server("10.0.0.1", 80),
        Server("10.0.0.2", 80),
    )


@pytest.mark.parametrize(
    ("spelling", "server"),
    [
        ("FD00::0001", "fd00::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:127.0.0.1", None),
        ("::ffff:169.254.169.254", None),
        ("::ffff:0.0.0.0", None),
        ("::127.0.0.1", None),
        ("fd00::1%eth0", None),
        ("fd00::1%;x", None),
        ("010.0.0.1", None),
        ("10.0.0.1\n", None),
        ("", None),
    ],
)
def test_addresses_are_spelled_as_haproxy_does_and_none_leads_to_the_host_itself(
    spelling: str, server: str | None
) -> None:
    """HAProxy is compared with what it was given: another spelling of an address would look like drift."""
    found = [Server(server, 8080)] if server else []
    services = {"default/web": fake.service("web")}
    for kind in ("IPv4", "IPv6"):
        entry = dataclasses.replace(fake.endpoint_slice("web", [(spelling, 8080)]), address_type=kind)
        assert list(endpoints.servers_of(WEB, services, endpoints.by_service([entry]), {}).servers) == found
    services = {"default/web": fake.service("web", type="ExternalName", externalName="x.example.com", ports=[])}
    assert (
        list(
            endpoints.servers_of(
                BackendRef("default", "web", 8080), services, {}, {"x.example.com": (spelling,)}
            ).servers
        )
        == found
    )


@given(st.ip_addresses())
def test_an_address_is_spelled_as_inet_ntop_does(address: IPv4Address | IPv6Address) -> None:
    """HAProxy uses inet_ntop, too."""
    text = canonical_ip(address.exploded)
    assert canonical_ip(text) == text
    if endpoints.routable(text):
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        assert text == socket.inet_ntop(family, socket.inet_pton(family, text))


def test_two_spellings_of_one_endpoint_are_one_server() -> None:
    slices = [
        dataclasses.replace(fake.endpoint_slice("web", [(a, 80)]), address_type="IPv6")
        for a in ("fd00::1", "FD00:0::1")
    ]
    assert endpoints.servers_of(
        WEB, {"default/web": fake.service("web")}, endpoints.by_service(slices), {}
    ).servers == (Server("fd00::1", 80),)


def test_headless_and_named_ports_use_the_port_of_the_slice() -> None:
    services = {"default/web": fake.service("web", {"http": 80, "admin": 9000}, clusterIP="None")}
    slices = endpoints.by_service(
        [
            fake.endpoint_slice("web", [("10.0.0.1", 8080)]),
            fake.endpoint_slice("web", [("10.0.0.1", 8081)], port_name="admin"),
        ]
    )
    assert endpoints.servers_of(BackendRef("default", "web", 0, "admin"), services, slices, {}).servers == (
        Server("10.0.0.1", 8081),
    )
    assert endpoints.servers_of(BackendRef("default", "web", 9000), services, slices, {}).servers == (
        Server("10.0.0.1", 8081),
    )
    missing = endpoints.servers_of(BackendRef("default", "web", 1), services, slices, {})
    assert missing.problem is not None
    assert missing.problem.reason == "PortNotFound"


def test_external_names_use_resolved_addresses_but_never_the_host_itself() -> None:
    services = {"default/web": fake.service("web", type="ExternalName", externalName="ext.example.com", ports=[])}
    found = endpoints.servers_of(WEB, services, {}, {"ext.example.com": ("198.51.100.7", "127.0.0.1")})
    assert found.servers == (Server("198.51.100.7", 80),)
    assert endpoints.external_names([WEB], services) == {"ext.example.com"}
    none = endpoints.servers_of(WEB, services, {}, {}).problem
    assert none is not None
    assert none.reason == "NameNotResolved"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("192.0.2.5", ""),
        ("127.0.0.1", "ExternalAddressRefused"),
        ("0.0.0.0", "ExternalAddressRefused"),
        ("169.254.169.254", "ExternalAddressRefused"),
        ("100.100.100.200", "ExternalAddressRefused"),
        ("168.63.129.16", "ExternalAddressRefused"),
        ("224.0.0.1", "ExternalAddressRefused"),
    ],
)
def test_an_external_name_that_is_an_address_is_used_if_it_is_routable(text: str, reason: str) -> None:
    services = {"default/web": fake.service("web", type="ExternalName", externalName=text)}
    found = endpoints.servers_of(WEB, services, {}, {})
    assert (found.problem.reason if found.problem else "") == reason
    assert found.servers == (() if reason else (Server(text, 80),))
    assert endpoints.external_names([WEB], services) == frozenset(), "an address is not resolved"


def test_a_name_that_resolves_to_a_metadata_service_is_not_used() -> None:
    services = {"default/web": fake.service("web", type="ExternalName", externalName="meta.example.org")}
    resolved = {"meta.example.org": ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "192.0.2.5"]}
    assert endpoints.servers_of(WEB, services, {}, resolved).servers == (Server("192.0.2.5", 80),)


def test_external_names_may_be_denied() -> None:
    services = {
        "default/web": fake.service("web", type="ExternalName", externalName="192.0.2.5"),
        "default/own": fake.service("own"),
    }
    found = endpoints.servers_of(WEB, services, {}, {}, external=False)
    assert (found.servers, found.problem and (found.problem.reason, found.problem.serious)) == (
        (),
        ("ExternalNameDenied", True),
    )
    slices = endpoints.by_service([fake.endpoint_slice("own", [("10.0.0.1", 80)])])
    own = BackendRef("default", "own", 80)
    assert endpoints.servers_of(own, services, slices, {}, external=False).servers == (Server("10.0.0.1", 80),)

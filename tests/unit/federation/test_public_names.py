"""Public names: the ladder, own host names, markers, and addresses that may be published."""

from __future__ import annotations

import pytest

from rancherctl.federation import names
from rancherctl.federation.addresses import never_published
from rancherctl.federation.ownership import Epoch, Marker


def test_ladder_has_zone_and_region_before_the_suffix() -> None:
    suffixes = [names.rung_suffix("acme", "acme.example", *place) for place in ((), ("eu",), ("eu", "a"))]
    assert [names.public_name("web", "default", s) for s in suffixes] == [
        "web.default.acme.svc.acme.example.",
        "web.default.acme.svc.eu.acme.example.",
        "web.default.acme.svc.a.eu.acme.example.",
    ]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("www.acme.example", "www.acme.example."),
        ("WWW.Acme.Example.", "www.acme.example."),
        (" acme.example", "acme.example."),
        ("svc.acme.example", "svc.acme.example."),
        ("web.default.other.svc.acme.example", "web.default.other.svc.acme.example."),
    ],
)
def test_own_host_names_in_the_zone_are_published(text: str, result: str) -> None:
    assert names.own_hostname(text, "acme", "acme.example") == (result, "")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("www.other.example", "outside the federation's zone"),
        ("xacme.example", "outside the federation's zone"),
        ("a b.acme.example", "not a valid DNS name"),
        ("_rancherctl.acme.example", "not a valid DNS name"),
        ('x"\n.acme.example', "not a valid DNS name"),
        ("*.acme.example", "not a valid DNS name"),
        (".".join(["a" * 57] * 4) + ".acme.example", "characters, at most 241"),
        ("db.default.acme.svc.acme.example", "gives to Services itself"),
        ("db.default.acme.svc.a.eu.acme.example", "gives to Services itself"),
    ],
)
def test_own_host_names_that_are_refused_say_why(text: str, part: str) -> None:
    name, problem = names.own_hostname(text, "acme", "acme.example")
    assert name == ""
    assert part in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("169.254.1.1", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("224.0.0.1", "a multicast address"),
        ("ff02::1", "a multicast address"),
        ("0.0.0.0", "the unspecified address"),
        ("0.1.2.3", "a reserved address"),
        ("255.255.255.255", "a reserved address"),
        ("::ffff:192.0.2.1", "an IPv4 address in IPv6 form"),
        ("web.example", "not an IP address"),
        ("fe80::1%eth0", "not an IP address"),
        ("203.0.113.7", ""),
        ("10.0.0.7", ""),
        ("2001:db8::1", ""),
    ],
)
def test_addresses_that_no_member_may_publish(address: str, why: str) -> None:
    assert never_published(address) == why


def test_markers_and_epochs_are_read_back_as_written() -> None:
    marker = Marker("acme/f00d", ("A", "AAAA"), "service/default/web")
    assert Marker.parse((marker.text(),)) == marker
    assert marker.text() == ('"heritage=rancherctl" "federation=acme/f00d" "for=A,AAAA" "object=service/default/web"')
    assert Epoch.parse((Epoch("acme/f00d", 7).text(),)) == Epoch("acme/f00d", 7)


def test_a_marker_with_more_strings_keeps_its_text() -> None:
    text = Marker("acme/f00d", ("A",), "service/default/web").text() + ' "later=1"'
    found = Marker.parse((text,))
    assert (found.owner, found.object, found.rdatas()) == ("acme/f00d", "service/default/web", (text,))


@pytest.mark.parametrize(
    "rdatas",
    [
        ('"v=spf1 -all"',),
        ('"heritage=external-dns,external-dns/owner=x"',),
        ('"heritage=rancherctl" "federation=acme/f00d" "for=MX" "object=x"',),
        (Marker("acme/f00d", ("A",), "x").text(), '"another"'),
        (),
    ],
)
def test_other_texts_are_no_markers(rdatas: tuple[str, ...]) -> None:
    assert Marker.parse(rdatas) == Marker(raw=rdatas)
    assert Epoch.parse(rdatas) is None

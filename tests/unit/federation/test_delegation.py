"""What the command line says of the way from outside to the public zone."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from rancherctl.errors import UnreachableError
from rancherctl.federation.operator.delegation import delegation

OWN = ("ns1.acme.org.", "NS2.acme.org.")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (OWN, ""),
        (("ns1.acme.org.",), ""),
        ((), "zone acme.org is not delegated"),
        (("ns.parking.net.",), "is delegated to ns.parking.net, but its servers are ns1.acme.org, ns2.acme.org"),
        ((*OWN, "old.net."), "is also delegated to old.net"),
    ],
)
def test_a_delegation_leads_to_the_servers_of_the_zone(found: Collection[str], said: str) -> None:
    line = delegation("acme.org", OWN, lambda _: found)
    assert said in line
    assert bool(line) is bool(said)


def test_the_records_to_add_are_named() -> None:
    """Federation v1: "created zone not used", because nothing led to it."""
    assert "acme.org NS ns1.acme.org, ns2.acme.org" in delegation("acme.org", OWN, lambda _: ())


def test_a_resolver_that_does_not_answer_says_nothing_about_the_zone() -> None:
    def resolve(_: str) -> Collection[str]:
        raise UnreachableError("the resolver does not answer: timeout")

    assert "could not be checked" in delegation("acme.org", OWN, resolve)


def test_names_that_are_private_are_not_looked_for() -> None:
    def resolve(zone: str) -> Collection[str]:
        raise AssertionError(zone)

    assert delegation("acme.example", OWN, resolve) == ""

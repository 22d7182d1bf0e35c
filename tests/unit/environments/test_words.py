"""Words of an environment file that end up in configurations of hosts."""

from __future__ import annotations

import pytest

from rancherctl.environments import syntax


@pytest.mark.parametrize("text", ["192.0.2.53", "2001:db8::53"])
def test_a_resolver_is_an_address(text: str) -> None:
    assert syntax.resolver(text) == ""


@pytest.mark.parametrize(
    "text",
    ["192.0.2.53:5353", "fe80::1%eth0", "fe80::1%x; };", "fe80::1%\nExecStartPre=/bin/sh", "resolver.example", ""],
)
def test_what_no_configuration_takes_is_no_resolver(text: str) -> None:
    assert repr(text) in syntax.resolver(text)


def test_a_certificate_carries_no_zone_of_an_address() -> None:
    assert syntax.san("2001:db8::1") == syntax.san("*.example.com") == ""
    assert syntax.san("fe80::1%\n[extra]")

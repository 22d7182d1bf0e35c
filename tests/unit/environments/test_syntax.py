"""Values of an environment file that end up in hosts' configurations."""

from __future__ import annotations

import pytest

from rancherctl.environments import syntax


@pytest.mark.parametrize("text", ["192.0.2.53", "2001:db8::53"])
def test_an_ip_address_is_a_valid_resolver(text: str) -> None:
    assert syntax.resolver(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.53:0",
        "[192.0.2.53]:53",
        "fe80::1%eth0",
        "fe80::1%x; };",
        "fe80::1%\nExecStartPre=/bin/sh",
        "resolver.example",
        "",
    ],
)
def test_text_that_could_break_a_configuration_is_not_a_resolver(text: str) -> None:
    assert repr(text) in syntax.resolver(text)


def test_scoped_addresses_are_refused_in_certificates() -> None:
    assert syntax.san("2001:db8::1") == syntax.san("*.example.com") == ""
    assert syntax.san("fe80::1%\n[extra]")

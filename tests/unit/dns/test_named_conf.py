"""named.conf and the other resources of a host."""

from __future__ import annotations

import pytest

from rancherctl.dns import named_conf
from rancherctl.dns.install import resources
from rancherctl.dns.model import DnsHostConfig
from rancherctl.errors import InvalidInputError
from rancherctl.hosts.model import File, Package, Unit

CONFIG = DnsHostConfig("h1")


def test_resources_of_a_host() -> None:
    found = resources(DnsHostConfig("h1", upstreams=("192.0.2.53", "[2001:db8::53]:5353")))
    assert isinstance(found[0], Package)
    assert "named.service" in found[0].mask
    files = {r.path: r.content.decode() for r in found if isinstance(r, File)}
    unit = files["/etc/systemd/system/rancherctl-dns.service"]
    assert "/etc/rancherctl/dns /var/lib/rancherctl/dns 169.254.20.10,10.43.0.10 \n" in unit
    assert files["/etc/rancherctl/dns/upstreams"] == "192.0.2.53\n2001:db8::53 port 5353\n"
    assert "User=bind" in unit
    named = files["/etc/rancherctl/dns/named.conf"]
    assert "listen-on port 53 { 169.254.20.10; 10.43.0.10; };" in named
    for must in (
        "max-records-per-type 0;",
        "empty-zones-enable no;",
        "allow-transfer { none; };",
        "controls { };",
        'zone "43.10.in-addr.arpa"',
    ):
        assert must in named
    assert "secret" not in named
    daemon = found[-1]
    assert isinstance(daemon, Unit)
    assert (daemon.name, daemon.reload_on, daemon.makes) == (
        "rancherctl-dns.service",
        ("/etc/rancherctl/dns/named.conf",),
        ("/etc/rancherctl/dns/tsig.key",),
    )
    assert resources(CONFIG) == resources(DnsHostConfig("h1"))


@pytest.mark.parametrize(
    "bad",
    [
        {"domain": "a; b"},
        {"domain": "x\ninclude"},
        {"upstreams": ("1.2.3.4; }",)},
        {"addresses": ("localhost",)},
        {"addresses": ("fe80::1%lo; }; options {",)},
        {"upstreams": ("fe80::1%lo\nExecStartPre=/bin/sh",)},
        {"upstreams": ("192.0.2.53:0",)},
        {"upstreams": ("192.0.2.53:5353; }",)},
        {"upstreams": ("10.43.0.10:53",)},
        {"stub_domains": {"corp": ("[10.0.0.53]:53",)}},
        {"max_negative_ttl": 0},
        {"upstreams": ("192.0.2.53", "10.43.0.10")},
        {"stub_domains": {"corp": ("169.254.20.10",)}},
        {"pod_cidrs": ("fe80::%lo; }/64",)},
        {"pod_cidrs": ("10.42.0.0/99",)},
        {"stub_domains": {'x" {': ("10.0.0.1",)}},
        {"stub_domains": {"corp": ("here",)}},
    ],
)
def test_invalid_settings_never_reach_the_configuration(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        named_conf.named_conf(DnsHostConfig("h1", **bad))  # type: ignore[arg-type]


def test_stub_domains_and_missing_upstreams_are_rendered() -> None:
    config = DnsHostConfig("h1", stub_domains={"corp.example": ("10.0.0.1:5353", "10.0.0.2")})
    text = named_conf.named_conf(config)
    assert 'include "/var/lib/rancherctl/dns/stubs.conf";' in text
    assert "    max-ncache-ttl 30;\n" in text
    assert "stubs.conf" not in named_conf.named_conf(CONFIG), "the file may be missing"
    files = {r.path: r.content.decode() for r in resources(config) if isinstance(r, File)}
    first = 'zone "corp.example" { type forward; forward only; forwarders { 10.0.0.1 port 5353; }; };\n'
    assert files["/etc/rancherctl/dns/stubs"] == first, "the server would prefer the faster of several"
    assert named_conf.forwarders((), "0") == (
        "forward only;\nforwarders { 127.0.0.1 port 9; };\nstale-answer-client-timeout 0;\n"
    )


@pytest.mark.parametrize(
    ("version", "answering", "silent"),
    [
        ("9.18.49-1~deb12u3-Debian", "1800", "1800"),
        ("9.20.30-1~deb13u1-Debian", "off", "0"),
        ("9.16.50", "off", "off"),
        ("", "off", "off"),
    ],
)
def test_expired_data_is_served_early_only_as_each_version_can(version: str, answering: str, silent: str) -> None:
    found = [named_conf.stale_after(version, silent=value) for value in (False, True)]
    assert found == [answering, silent]

"""Which upstreams a host asks for a name outside its zones."""

from __future__ import annotations

from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.trace import stub_domain, upstreams_of

CONFIG = DnsHostConfig("h1", stub_domains={"corp.example": ("10.0.0.53:53",), "eu.corp.example": ("10.0.0.54",)})


def test_servers_are_spelled_as_the_agent_reports_them() -> None:
    rows = [
        {"server": "10.0.0.1", "domain": ""},
        {"server": "10.0.0.2:5353", "domain": ""},
        {"server": "10.0.0.53", "domain": "corp.example"},
    ]
    section = {"used": ["10.0.0.1"], "dead": [], "servers": rows}
    assert upstreams_of("", CONFIG, section) == ("10.0.0.1", "10.0.0.2:5353")
    assert upstreams_of("corp.example", CONFIG, section) == ("10.0.0.53",)
    assert upstreams_of("eu.corp.example", CONFIG, section) == ("10.0.0.54",)


def test_agents_of_earlier_releases_report_used_and_dead_ones() -> None:
    section = {"used": ["10.0.0.2", "10.0.0.1"], "dead": ["10.0.0.1"]}
    assert upstreams_of("", CONFIG, section) == ("10.0.0.2", "10.0.0.1")
    assert upstreams_of("corp.example", CONFIG, {}) == ("10.0.0.53:53",)
    assert upstreams_of("", CONFIG, {}) == ()


def test_the_longest_stub_domain_counts() -> None:
    assert stub_domain("db.eu.corp.example.", CONFIG.stub_domains) == "eu.corp.example"
    assert stub_domain("corp.example.", CONFIG.stub_domains) == "corp.example"
    assert stub_domain("xcorp.example.", CONFIG.stub_domains) == ""

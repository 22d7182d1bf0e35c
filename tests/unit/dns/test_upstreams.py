"""Which upstreams are used, and how they reach the server."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rancherctl.dns import named_conf, upstream_health
from rancherctl.dns.forwarding import Forwarding
from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.store import Store
from rancherctl.dns.upstreams import Health, of_resolv_conf
from rancherctl.errors import RancherctlError


def test_own_addresses_and_scopes_of_a_resolv_conf_are_skipped() -> None:
    servers = ("10.0.0.2", " 127.0.0.53 ", "10.43.0.10", "10.0.0.2", "fe80::1%eth0", "2001:db8::1")
    text = "# x\n" + "".join(f"nameserver {s}\n" for s in servers)
    assert of_resolv_conf(text, {"10.43.0.10"}) == ("10.0.0.2", "2001:db8::1")


def test_comments_and_invalid_addresses_of_a_resolv_conf_are_skipped() -> None:
    """Comments are allowed; an invalid address would make the server refuse its whole configuration."""
    text = (
        "nameserver 10.0.0.2 # office\nnameserver 10.0.0.3;x\nnameserver 10.0.0.300\nnameserver dead:beef\n"
        "nameserver ::1\nnameservers 1.1.1.1\n"
    )
    assert of_resolv_conf(text, ()) == ("10.0.0.2", "10.0.0.3")


@example("nameserver 169.254.20.10")
@given(st.text(alphabet=" \t\nameserv.:%;#{}0123456789abcdf", max_size=60).map(lambda text: f"nameserver {text}"))
def test_no_resolv_conf_can_break_the_configuration(text: str) -> None:
    own = DnsHostConfig("h1").addresses
    for one in of_resolv_conf(text, own):
        named_conf.named_conf(DnsHostConfig("h1", upstreams=(one,)))


def test_an_unreachable_address_family_does_not_stop_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ipv6.disable=1 the kernel refuses the socket itself."""
    real = socket.socket

    def refused(family: int = socket.AF_INET, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return real(family, *rest)

    monkeypatch.setattr("rancherctl.dns.upstream_health.socket.socket", refused)
    assert upstream_health.responding(("2001:db8::53", "192.0.2.53"), port=9, timeout=0.05) == frozenset()


class Stubborn:
    """A daemon whose first reload fails."""

    def __init__(self) -> None:
        self.reloads = 0

    def reload(self) -> None:
        self.reloads += 1
        if self.reloads == 1:
            raise RancherctlError("systemctl did not end")

    def stop(self) -> None:
        raise AssertionError("unexpected call")

    start = stop


def test_upstreams_are_applied_again_if_the_reload_failed(tmp_path: Path) -> None:
    daemon = Stubborn()
    path = tmp_path / "forwarders.conf"
    forwarding = Forwarding(str(path), Store(str(tmp_path)), daemon)
    with pytest.raises(RancherctlError):
        forwarding.use(("192.0.2.53",))
    assert path.read_text() == named_conf.forwarders(("192.0.2.53",))
    forwarding.use(("192.0.2.53",))
    forwarding.use(("192.0.2.53",))
    assert daemon.reloads == 2
    Forwarding(str(path), Store(str(tmp_path)), daemon).use(("192.0.2.53",))
    assert daemon.reloads == 3, "the process before may have ended between file and reload"


def test_a_dead_upstream_is_skipped_and_comes_back() -> None:
    health = Health()
    health.use(("a", "b"))
    health.note("a", False)
    assert health.doubtful()
    assert health.order() == ("a", "b")
    health.note("a", False)
    assert health.order() == ("b",)
    health.note("b", False)
    health.note("b", False)
    assert health.order() == ("a", "b")
    for _ in range(2):
        health.note("a", True)
    assert health.order() == ("a",)
    health.use(("c",))
    assert health.order() == ("c",)


def test_one_lost_probe_changes_nothing() -> None:
    health = Health()
    health.use(("a", "b"))
    for _ in range(5):
        health.note("a", False)
        health.note("a", True)
        assert health.order() == ("a", "b")

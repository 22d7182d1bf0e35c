"""Which upstreams are used, and how they reach the server."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rancherctl.dns import named_conf, probe
from rancherctl.dns.forwarding import Forwarding
from rancherctl.dns.model import DnsHostConfig
from rancherctl.dns.store import Store
from rancherctl.dns.upstreams import (
    ALIVE_AFTER,
    CALM,
    Health,
    ProbeResult,
    of_resolv_conf,
    problems,
    rows,
    server,
)
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

    monkeypatch.setattr("rancherctl.dns.probe.socket.socket", refused)
    asked = {("", one): probe.QUESTIONS for one in ("2001:db8::53", "192.0.2.53:9")}
    found = probe.probe(asked, timeout=0.05)
    assert [result.answered for result in found.values()] == [False, False]
    assert found[("", "2001:db8::53")].why == "address family not supported by protocol"


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
    daemon, config = Stubborn(), DnsHostConfig("h1", data=str(tmp_path))
    path = Path(config.forwarders_file)
    forwarding = Forwarding(config, Store(str(tmp_path)), daemon)
    with pytest.raises(RancherctlError):
        forwarding.use(("192.0.2.53",), {})
    assert path.read_text() == named_conf.forwarders(("192.0.2.53",))
    forwarding.use(("192.0.2.53",), {})
    forwarding.use(("192.0.2.53",), {})
    assert daemon.reloads == 2
    Forwarding(config, Store(str(tmp_path)), daemon).use(("192.0.2.53",), {})
    assert daemon.reloads == 3, "the process before may have ended between file and reload"


def test_what_is_not_known_yet_keeps_its_file(tmp_path: Path) -> None:
    daemon, config = Stubborn(), DnsHostConfig("h1", data=str(tmp_path))
    daemon.reloads = 1
    forwarding, stubs = Forwarding(config, Store(str(tmp_path)), daemon), Path(config.stubs_file)
    forwarding.use(None, None)
    assert (daemon.reloads, list(tmp_path.iterdir())) == (1, [])
    forwarding.use(None, {"corp.example": ("10.0.0.2:5353",)})
    assert stubs.read_text() == named_conf.stub_zones({"corp.example": ("10.0.0.2:5353",)})
    forwarding.use(("192.0.2.53",), None)
    assert "corp.example" in stubs.read_text()
    forwarding.use(("192.0.2.53",), {})
    assert (stubs.read_text(), daemon.reloads) == ("", 4), "stub domains that are no longer configured"


def answered(*, well: bool = True) -> ProbeResult:
    return ProbeResult(True, "" if well else "answers REFUSED")


SILENT = ProbeResult(False, "no answer within 1 s")


def probed(health: Health, at: float, **results: ProbeResult) -> tuple[str, ...] | None:
    for name, result in results.items():
        health.note(name, result, at)
    return health.chosen()


def health(*names: str) -> Health:
    out = Health()
    out.use(names)
    return out


def test_the_first_that_answers_is_chosen() -> None:
    found = health("a", "b")
    assert found.chosen() is None
    assert probed(found, 0, b=answered()) is None, "the first may still answer"
    assert probed(found, 0, a=answered()) == ("a",)


def test_a_first_upstream_that_is_dead_at_the_start_is_never_chosen() -> None:
    """A restarted agent must not send the host back to it for a moment."""
    found = health("a", "b")
    assert probed(found, 0, a=SILENT, b=answered()) is None
    assert found.doubtful()
    assert probed(found, 1, a=SILENT, b=answered()) == ("b",)
    assert not found.doubtful()


def test_a_dead_upstream_is_replaced_by_the_next_and_comes_back() -> None:
    found = health("a", "b")
    probed(found, 0, a=answered(), b=answered())
    assert probed(found, 1, a=SILENT) == ("a",)
    assert found.doubtful()
    assert probed(found, 2, a=SILENT) == ("b",)
    assert found.dead == ("a",)
    for at in range(ALIVE_AFTER - 1):
        assert probed(found, 3 + at, a=answered()) == ("b",)
    assert probed(found, 9, a=answered()) == ("a",)
    found.use(("c",))
    assert found.chosen() is None


def test_an_answer_that_refuses_is_a_sign_of_life() -> None:
    assert probed(health("a", "b"), 0, a=answered(well=False), b=answered()) == ("a",)


def test_one_lost_probe_changes_nothing() -> None:
    found = health("a", "b")
    probed(found, 0, a=answered(), b=answered())
    for at in range(5):
        assert probed(found, at, a=SILENT) == ("a",)
        assert probed(found, at, a=answered()) == ("a",)


def test_an_upstream_that_flaps_is_trusted_later_and_later() -> None:
    found, at, changes = health("a", "b"), 0.0, 0
    probed(found, at, a=answered(), b=answered())
    before = found.chosen()
    for _ in range(100):
        for result in (SILENT, SILENT, *[answered()] * 4):
            at += 2.0
            now = probed(found, at, a=result)
            changes += now != before
            before = now
    assert changes <= 4, "six times an hour is the most that a resolver which is away every 12 seconds may cost"


def test_a_calm_upstream_is_trusted_as_before() -> None:
    found, at = health("a", "b"), 0.0
    probed(found, at, a=answered(), b=answered())

    def dies() -> int:
        nonlocal at
        for result in (SILENT, SILENT):
            probed(found, at, a=result)
        needed = 0
        while found.chosen() != ("a",):
            at, needed = at + 2.0, needed + 1
            probed(found, at, a=answered())
        return needed

    assert [dies(), dies(), dies()] == [ALIVE_AFTER, ALIVE_AFTER * 2, ALIVE_AFTER * 4]
    at += CALM
    probed(found, at, a=answered())
    assert dies() == ALIVE_AFTER


def test_if_all_are_dead_the_first_answer_counts_at_once() -> None:
    found = health("a", "b")
    for at in range(2):
        probed(found, at, a=SILENT, b=SILENT)
    assert (found.chosen(), found.silent) == (("a", "b"), True)
    assert probed(found, 3, b=answered()) == ("b",)
    assert not found.silent, "expired data is not served first while one answers"
    assert not health().silent


def test_rows_and_problems_say_what_is_wrong() -> None:
    found = health("a", "b", "c")
    probed(found, 0, a=SILENT, b=ProbeResult(True, note="does not answer . NS", ms=3.0), c=answered(well=False))
    probed(found, 1, a=SILENT)
    shown = rows(found, "", ("b",), 5.0, {"b": 7})
    assert [(r["server"], r["order"], r["alive"], r["in_use"], r["latency_ms"], r["queries"]) for r in shown] == [
        ("a", 1, False, False, None, None),
        ("b", 2, True, True, 3.0, 7),
        ("c", 3, True, False, None, None),
    ]
    assert problems(shown) == ["upstream a does not answer: no answer within 1 s", "upstream c answers REFUSED"]
    assert problems(rows(found, "corp.example", (), 5.0, {}))[0].startswith(
        "upstream a of corp.example does not answer"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("10.0.0.53", ("10.0.0.53", 53)),
        ("10.0.0.53:5353", ("10.0.0.53", 5353)),
        ("fd00::53", ("fd00::53", 53)),
        ("[fd00::53]", ("fd00::53", 53)),
        ("[fd00:0::53]:5353", ("fd00::53", 5353)),
        ("::ffff:10.0.0.53", ("10.0.0.53", 53)),
        ("[10.0.0.53]:53", None),
        ("[fd00::53]53", None),
        ("[fd00::53]:", None),
        ("[fd00::53", None),
        ("10.0.0.53:", None),
        ("10.0.0.53:0", None),
        ("10.0.0.53:70000", None),
        ("fe80::1%eth0", None),
        ("dns.example", None),
        ("", None),
    ],
)
def test_servers_may_have_a_port(text: str, wanted: tuple[str, int] | None) -> None:
    assert server(text) == wanted

"""Update messages against dnspython: what it reads from our bytes is what was meant, and it accepts the signature."""

from __future__ import annotations

import base64
import time

import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.dns.apply import Edit, build
from rancherctl.dns.model import Marker
from rancherctl.dns.names import address, reverse
from rancherctl.dns.wire import Signed, Update, plain_name, read_answer

SECRET = b"0123456789abcdef0123456789abcdef"
KEY = dns.tsig.Key("rancherctl", base64.b64encode(SECRET).decode(), "hmac-sha256")
label = st.from_regex(r"[a-z0-9_]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
name = st.lists(label, min_size=1, max_size=4).map(lambda parts: f"{'.'.join(parts)}.cluster.local.")
rdata = st.one_of(
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=6).map(lambda a: address(str(a))[0])),
    st.tuples(st.just("PTR"), name),
    st.tuples(st.just("CNAME"), name),
    st.tuples(st.just("SRV"), st.tuples(st.integers(0, 65535), name).map(lambda t: f"0 100 {t[0]} {t[1]}")),
    st.tuples(st.just("TXT"), st.sampled_from(['"1.1.0"', '"hash=ab" "version=1/2"'])),
)
action = st.tuples(st.sampled_from(["clear", "remove", "add"]), name, rdata, st.integers(0, 86400))


def read(wire: bytes) -> dns.update.UpdateMessage:
    message = dns.message.from_wire(wire, keyring={KEY.name: KEY})
    assert message.had_tsig
    assert isinstance(message, dns.update.UpdateMessage)
    return message


@given(st.lists(action, max_size=40), st.integers(0, 65535))
def test_dnspython_parses_every_message(actions: list[tuple[str, str, tuple[str, str], int]], number: int) -> None:
    update = Update("cluster.local.")
    expected = []
    for verb, owner, (kind, data), ttl in actions:
        if verb == "clear":
            update.clear(owner, kind)
            expected.append((owner, kind, "ANY", 0, ""))
        elif verb == "remove":
            update.remove(owner, kind, data)
            expected.append((owner, kind, "NONE", 0, data))
        else:
            update.add(owner, kind, ttl, data)
            expected.append((owner, kind, "IN", ttl, data))
    message = read(update.sign("rancherctl", SECRET, number=number, now=int(time.time())).wire)
    assert message.id == number
    assert message.zone[0].name.to_text() == "cluster.local."
    found = []
    for rrset in message.update:
        class_ = dns.rdataclass.to_text(rrset.deleting or rrset.rdclass)
        kind = dns.rdatatype.to_text(rrset.rdtype)
        found += [(rrset.name.to_text(), kind, class_, rrset.ttl, r.to_text()) for r in rrset] or [
            (rrset.name.to_text(), kind, class_, 0, "")
        ]
    normal = [(*row[:4], address(row[4])[0] if row[1] == "AAAA" and row[4] else row[4]) for row in found]
    assert normal == expected


def test_a_big_set_fits_because_names_are_compressed() -> None:
    edit = Edit(
        "big.ns.svc.cluster.local.", "A", 5, True, (), tuple(f"10.42.{n // 250}.{n % 250}" for n in range(4000))
    )
    signed = build("cluster.local.", [edit], first=True, marker=Marker("0" * 32, "1")).sign(
        "rancherctl", SECRET, number=7, now=int(time.time())
    )
    assert len(signed.wire) < 65_000
    assert sum(len(rrset) for rrset in read(signed.wire).update) == 4001


def test_a_changed_message_is_not_accepted() -> None:
    update = Update("cluster.local.")
    update.add("a.cluster.local.", "A", 5, "10.0.0.1")
    wire = bytearray(update.sign("rancherctl", SECRET, number=1, now=int(time.time())).wire)
    wire[45] ^= 1
    with pytest.raises(dns.tsig.BadSignature):
        dns.message.from_wire(bytes(wire), keyring={KEY.name: KEY})


@pytest.mark.parametrize("bad", ["a..b.", f"{'x' * 64}.b.", ".b."])
def test_an_invalid_name_is_refused(bad: str) -> None:
    with pytest.raises(ValueError):
        plain_name(bad)
    with pytest.raises(ValueError):
        Update("cluster.local.").clear(bad, "A")


@given(st.ip_addresses())
def test_reverse_names_equal_those_of_the_standard_library(found: object) -> None:
    assert reverse(address(str(found))[0]) == f"{found.reverse_pointer}."  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "kind", "rdata"),
    [
        ("mail.cluster.local.", "MX", "10 mail.example."),
        ("b\\195\\188cher.cluster.local.", "TXT", '"say \\"hi\\""'),
        ("\\195\\188" * 20 + ".cluster.local.", "TYPE65400", "\\# 2 abcd"),
        ("a\\.b.cluster.local.", "NS", "ns.example."),
    ],
)
def test_foreign_records_can_be_deleted(name: str, kind: str, rdata: str) -> None:
    """A record that a transfer shows must not make every later update impossible."""
    update = Update("cluster.local.")
    update.add("first.cluster.local.", "A", 5, "10.43.0.1")
    update.clear(name, kind)
    update.remove(name, kind, rdata)
    update.add("second.cluster.local.", "A", 5, "10.43.0.2")
    key = dns.tsig.Key("rancherctl", b"x" * 32, "hmac-sha256")
    signed = update.sign("rancherctl", b"x" * 32, number=7, now=int(time.time()))
    found = dns.message.from_wire(signed.wire, keyring={key.name: key})
    assert isinstance(found, dns.update.UpdateMessage)
    told = [(s.name, dns.rdatatype.to_text(s.rdtype), [r.to_text() for r in s]) for s in found.update]
    assert told[1:3] == [(dns.name.from_text(name), kind, []), (dns.name.from_text(name), kind, [rdata])]
    assert told[3][0] == dns.name.from_text("second.cluster.local.")


@pytest.mark.parametrize("bad", ["NOSUCHTYPE", "TYPE70000"])
def test_an_invalid_type_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not a valid record type"):
        Update("cluster.local.").clear("a.cluster.local.", bad)


def answer(number: int, code: int = 0) -> tuple[bytes, Signed]:
    """A signed answer as dnspython writes it, and the request."""
    signed = Update("cluster.local.").sign("rancherctl", SECRET, number=number, now=int(time.time()))
    found = dns.message.make_response(read(signed.wire))
    found.set_rcode(dns.rcode.Rcode(code))
    return found.to_wire(), signed


@pytest.mark.parametrize("code", range(11))
def test_a_signed_answer_has_its_code(code: int) -> None:
    wire, signed = answer(7, code)
    assert read_answer(wire, signed, "rancherctl", SECRET, now=int(time.time())) == code


def test_an_answer_is_left_to_the_library_if_its_key_time_or_number_differs() -> None:
    wire, signed = answer(7)
    now = int(time.time())
    assert read_answer(wire, signed, "rancherctl", SECRET[::-1], now=now) is None
    assert read_answer(wire, signed, "other", SECRET, now=now) is None
    assert read_answer(wire, signed, "rancherctl", SECRET, now=now + 3600) is None
    assert read_answer(wire, answer(8)[1], "rancherctl", SECRET, now=now) is None


@given(st.data())
def test_no_change_of_an_answer_is_accepted(data: st.DataObject) -> None:
    wire, signed = answer(7)
    place = data.draw(st.integers(0, len(wire) * 8 - 1))
    broken = bytearray(wire)
    broken[place // 8] ^= 1 << place % 8
    cut = data.draw(st.integers(0, len(wire) - 1))
    for bad in (bytes(broken), wire[:cut], wire + b"x", b""):
        assert read_answer(bad, signed, "rancherctl", SECRET, now=int(time.time())) is None

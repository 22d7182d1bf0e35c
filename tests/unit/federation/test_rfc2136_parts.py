"""Parts of the provider rfc2136 without a server: key files, batches, what an update requires, serial numbers."""

from __future__ import annotations

import base64

import pytest

from rancherctl.change import Change
from rancherctl.dns.model import RecordSet
from rancherctl.errors import UsageError
from rancherctl.federation.ownership import Marker, NameState
from rancherctl.federation.providers import update
from rancherctl.federation.providers.base import Fence
from rancherctl.federation.providers.faults import Server
from rancherctl.federation.providers.transfer import is_older
from rancherctl.federation.providers.tsig import parse_key

KEY = 'key "Acme" {\n\talgorithm hmac-sha256;\n\tsecret "c2VjcmV0LW9mLWFjbWU=";\n};\n'
FENCE = Fence("_rancherctl-acme.acme.example.", '"heritage=rancherctl" "epoch=1"')
WEB = "web.default.acme.svc.acme.example."


def test_a_key_file_of_tsig_keygen_is_read() -> None:
    key = parse_key(f"# made today\n// by hand\n{KEY}")
    assert (key.name, key.algorithm, key.secret) == ("acme", "hmac-sha256", b"secret-of-acme")
    assert "secret" not in repr(key)


@pytest.mark.parametrize("secret", ["ab//cdef", "//+/+//A", "ab//cd=="])
def test_slashes_in_a_secret_begin_no_comment(secret: str) -> None:
    """One random secret in a hundred has two of them side by side."""
    text = f'key "acme" {{ algorithm hmac-sha256; /* a note */ secret "{secret}"; // another\n}};'
    assert parse_key(text).secret == base64.b64decode(secret)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "it has no key statement"),
        ("c2VjcmV0", "it has no key statement"),
        (KEY + KEY.replace("Acme", "two"), "it has 2 keys, one is needed"),
        (
            KEY.replace("hmac-sha256", "hmac-md5"),
            "'hmac-md5' is not supported (hmac-sha256, hmac-sha384, hmac-sha512 are)",
        ),
        (KEY.replace("algorithm hmac-sha256;", ""), "it names no algorithm"),
        (KEY.replace("c2VjcmV0LW9mLWFjbWU=", "c2VjcmV0LW9mLWFjbWU"), "the secret of DNS key Acme is not valid base64"),
        (KEY.replace("c2VjcmV0LW9mLWFjbWU=", ""), "the secret of DNS key Acme is not valid base64"),
    ],
)
def test_other_texts_are_no_key_and_the_secret_is_not_shown(text: str, part: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_key(text)
    assert part in str(error.value)
    assert "c2VjcmV0" not in str(error.value)
    assert error.value.hint == "create one with: tsig-keygen -a hmac-sha256 NAME"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", Server("192.0.2.53")),
        ("ns1.acme.example:5353", Server("ns1.acme.example", 5353)),
        ("[2001:db8::1]:53", Server("2001:db8::1")),
        ("2001:db8::1", Server("2001:db8::1")),
    ],
)
def test_servers_are_hosts_with_a_port(text: str, server: Server) -> None:
    assert Server.parse(text) == server


def test_batches_keep_names_whole_and_stay_below_the_limit() -> None:
    changes = [_create(f"s{number}.default.acme.svc.acme.example.") for number in range(500)]
    parts = list(update.batches(changes))
    assert [change for part in parts for change in part] == changes
    assert len(parts) > 1
    assert max(len(update.update_of("acme.example.", part, FENCE).to_wire(max_size=65535)) for part in parts) < 48_000
    assert list(update.batches([])) == []
    assert [len(part) for part in update.batches(changes[:3], limit=1)] == [1, 1, 1]


def _create(name: str) -> Change[NameState]:
    sets = (RecordSet(name, "A", ("203.0.113.1",), 30),)
    return Change(name, None, NameState(sets, Marker("acme/f00d", ("A",), "service/default/web")))


def _lines(change: Change[NameState]) -> tuple[list[str], list[str]]:
    """What an update requires besides the zone marker, and what it changes, as dnspython prints it."""
    message = update.update_of("acme.example.", [change], FENCE)
    required = [line for rrset in message.prerequisite[1:] for line in rrset.to_text().splitlines()]
    return required, [line for rrset in message.update for line in rrset.to_text().splitlines()]


def test_a_create_requires_that_the_name_is_free() -> None:
    required, changed = _lines(_create(WEB))
    assert required == [f"{WEB} NONE {kind}" for kind in ("A", "AAAA", "CNAME")] + [
        f"_rancherctl.{WEB} NONE TXT",
        f"_rancherctl.{WEB} NONE CNAME",
    ]
    assert changed[0] == f"{WEB} 30 IN A 203.0.113.1"
    assert changed[1].startswith(f"_rancherctl.{WEB} 300 IN TXT ")


def test_a_delete_requires_and_deletes_only_what_is_owned() -> None:
    new = _create(WEB).new
    required, changed = _lines(Change(WEB, new, None))
    assert required[0] == f"{WEB} 0 IN A 203.0.113.1"
    assert len(required) == 2
    assert changed == [f"{WEB} ANY A", f"_rancherctl.{WEB} ANY TXT"]


def test_a_set_that_stays_is_not_sent() -> None:
    old = _create(WEB).new
    assert old is not None
    six = RecordSet(WEB, "AAAA", ("2001:db8::1",), 30)
    new = NameState((*old.sets, six), Marker("acme/f00d", ("A", "AAAA"), "service/default/web"))
    _, changed = _lines(Change(WEB, old, new))
    assert [line for line in changed if "rancherctl" not in line] == [f"{WEB} 30 IN AAAA 2001:db8::1"]


def test_serial_numbers_wrap_around() -> None:
    assert is_older(1, 2)
    assert is_older(0xFFFFFFFF, 1)
    assert not is_older(2, 2)
    assert not is_older(1, 0xFFFFFFFF)

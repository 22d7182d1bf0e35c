"""The minimal DNS client: queries and answers as bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.role import dns_query
from tests.fakes.dns_answer import dns_answer


def test_answers_are_parsed_and_invalid_ones_are_errors() -> None:
    query = dns_query.question("a.example.com", dns_query.A, 7)
    good = dns_answer(query, (5, b"\1b\xc0\x0c"), (1, bytes([10, 0, 0, 2])), (1, bytes([10, 0, 0, 1])))
    assert dns_query.addresses(good, 7, dns_query.A) == ("10.0.0.1", "10.0.0.2")
    six = dns_query.question("a.example.com", dns_query.AAAA, 7)
    assert dns_query.addresses(dns_answer(six, (28, bytes(15) + b"\1")), 7, dns_query.AAAA) == ("::1",)
    assert dns_query.addresses(dns_answer(query), 7, dns_query.A) == ()
    assert dns_query.addresses(dns_answer(query, code=3), 7, dns_query.A) == (), (
        "the name does not exist, so its last address may belong to another name now"
    )
    for wrong in (dns_answer(query, code=5), dns_answer(query, code=2), query, good[:-3], b"", b"\0\7"):
        with pytest.raises(dns_query.AnswerError):
            dns_query.addresses(wrong, 7, dns_query.A)
    with pytest.raises(dns_query.AnswerError):
        dns_query.addresses(good, 8, dns_query.A)
    for name in ("a..b", "", "x" * 64 + ".com", ".".join(["abcdefgh"] * 40), "\u00fc.com"):
        with pytest.raises(ValueError):
            dns_query.question(name, dns_query.A, 1)


@given(st.binary(max_size=80))
def test_any_bytes_give_addresses_or_an_error(data: bytes) -> None:
    with contextlib.suppress(dns_query.AnswerError):
        assert isinstance(dns_query.addresses(data, 7, dns_query.A), tuple)

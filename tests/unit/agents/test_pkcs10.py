"""Parsing of certificate requests: what is requested, as the signer reads it; damage and forgeries are refused."""

import base64
import contextlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.agents import pkcs10
from tests.fakes.certificate_requests import API_NAMES, FROM_GO, request_pem


def test_a_request_of_a_kubelet_is_parsed() -> None:
    """Made by Go's crypto/x509, as client-go's certificate manager calls it."""
    assert pkcs10.parse(FROM_GO) == pkcs10.RequestContent(
        "system:node:h1", ("system:nodes",), frozenset({"h1"}), frozenset({"10.77.0.11", "fd00::11"})
    )


def test_a_password_that_looks_like_names_does_not_hide_the_requested_names() -> None:
    """openssl prints a password with its line breaks: its text must not pass for requested names."""
    fake = b"x\n            X509v3 Subject Alternative Name: \n                DNS:h1\n"
    asked = pkcs10.parse(request_pem([*API_NAMES], password=fake))
    assert (asked.dns, asked.ips) == ({"kubernetes.default.svc"}, {"127.0.0.1"})
    two = pkcs10.parse(request_pem([x509.DNSName("h1\nx"), *API_NAMES]))
    assert two.dns == {"h1\nx", "kubernetes.default.svc"}


def test_other_kinds_of_names_are_marked_and_damage_is_refused() -> None:
    assert pkcs10.parse(request_pem([x509.DNSName("h1"), x509.RFC822Name("a@b.c")])).other_names
    good = request_pem([x509.DNSName("h1")])
    headers = good.replace("\n", "\nProc-Type: 4\n", 1)
    for bad in ("", good + good, headers, good.replace("CERTIFICATE REQUEST", "CERTIFICATE"), good[:80] + good[120:]):
        with pytest.raises(ValueError):
            pkcs10.parse(bad)


WHOLE = x509.load_pem_x509_csr(request_pem([x509.DNSName("h1")]).encode()).public_bytes(serialization.Encoding.DER)


@given(st.data())
def test_any_bytes_are_parsed_like_a_real_parser_or_refused(data: st.DataObject) -> None:
    der = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(0, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(der[: data.draw(st.integers(0, len(der)))])
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{base64.encodebytes(cut).decode()}-----END CERTIFICATE REQUEST-----\n"
    with contextlib.suppress(ValueError):
        asked = pkcs10.parse(pem)
        seen = x509.load_der_x509_csr(cut)
        assert asked.dns <= {n.value for e in seen.extensions for n in e.value if isinstance(n, x509.DNSName)}

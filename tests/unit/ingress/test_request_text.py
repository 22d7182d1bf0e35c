"""Requests as people write them for ``ingress show --request``."""

from __future__ import annotations

import pytest

from rancherctl.errors import UsageError
from rancherctl.ingress.operator.request_text import parse_request
from rancherctl.ingress.request import Request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET http://a.com/x/y?q=1", Request("a.com", "/x/y?q=1", "GET")),
        (" post  HTTP://A.com:80 ", Request("A.com:80", "/", "POST")),
        ("http://a.com?q", Request("a.com", "/?q", "GET")),
        ("GET http://[fd00::1]/x", Request("[fd00::1]", "/x", "GET")),
        ("GET http://a.com//x/../y%2f", Request("a.com", "//x/../y%2f", "GET")),
        ("http://a.com:8080/", Request("a.com:8080", "/", port=8080)),
        ("GET https://A.com./x", Request("A.com.", "/x", scheme="https", port=443, sni="A.com")),
        ("https://a.com:8443/", Request("a.com:8443", "/", scheme="https", port=8443, sni="a.com")),
        ("https://10.0.0.1/", Request("10.0.0.1", "/", scheme="https", port=443)),
        ("https://[fd00::1]/", Request("[fd00::1]", "/", scheme="https", port=443)),
    ],
)
def test_a_request_reads_as_a_client_sends_it(text: str, expected: Request) -> None:
    assert parse_request(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", 'the form is "GET https://HOST/PATH"'),
        ("a.com/x", 'the form is "GET https://HOST/PATH"'),
        ("GET /x", 'the form is "GET https://HOST/PATH"'),
        ("GET ftp://a.com/", "ftp is not supported, only http and https"),
        ("GET http:///x", "'' is not a host name with an optional port"),
        ("GET http://me@a.com/x", "'me@a.com' is not a host name with an optional port"),
        ("GET http://ü.com/x", "'\\xfc.com' is not a host name with an optional port"),
        ("GET http://a.com:x/", "'x' is not a port number"),
        ("GET https://a.com:65536/", "'65536' is not a port number"),
        ("GET https://a.com:/", "'' is not a port number"),
        ("GET http://a.com/x#y", "clients do not send the part after a number sign"),
        ("GET http://a.com/ü", "the path has spaces or characters outside ASCII"),
        ("GET http://a.com/x HTTP/1.1", "the path has spaces or characters outside ASCII"),
        ("GET http://a.com/x\ny", 'the form is "GET https://HOST/PATH"'),
    ],
)
def test_what_no_client_could_send_is_refused_with_a_reason_and_a_remedy(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_request(text)
    assert caught.value.why == why
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_the_client_is_an_address() -> None:
    assert parse_request("http://a.com/", "fd00::7").source == "fd00::7"
    for source in ("a.com", "10.0.0.0/8", "fe80::1%eth0"):
        with pytest.raises(UsageError, match="is not an IP address"):
            parse_request("http://a.com/", source)
    with pytest.raises(UsageError, match="the form is"):
        parse_request("", "10.0.0.1")


def test_the_name_of_the_handshake_may_differ_from_the_host() -> None:
    assert parse_request("https://a.com/", sni="b.com").sni == "b.com"
    assert parse_request("https://a.com/", sni="").sni == ""
    assert parse_request("https://a.com/", length=5).length == 5
    for text, sni, message in (
        ("http://a.com/", "b.com", "--sni without TLS"),
        ("https://a.com/", "b c", "invalid name 'b c' for the TLS handshake"),
        ("https://a.com/", "*.a.com", "is not a DNS name"),
    ):
        with pytest.raises(UsageError, match=message.replace("*", "[*]")) as caught:
            parse_request(text, sni=sni)
        assert caught.value.hint

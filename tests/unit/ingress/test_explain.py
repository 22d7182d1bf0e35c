"""Requests as people write them for ``ingress show --request``."""

from __future__ import annotations

import pytest

from rancherctl.errors import UsageError
from rancherctl.ingress.matcher import Request
from rancherctl.ingress.operator.explain import parse_request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET http://a.com/x/y?q=1", Request("a.com", "/x/y?q=1", "GET")),
        (" post  HTTP://A.com:80 ", Request("A.com:80", "/", "POST")),
        ("http://a.com?q", Request("a.com", "/?q", "GET")),
        ("GET http://[fd00::1]/x", Request("[fd00::1]", "/x", "GET")),
        ("GET http://a.com//x/../y%2f", Request("a.com", "//x/../y%2f", "GET")),
    ],
)
def test_a_request_reads_as_a_client_sends_it(text: str, expected: Request) -> None:
    assert parse_request(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", 'the form is "GET http://HOST/PATH"'),
        ("a.com/x", 'the form is "GET http://HOST/PATH"'),
        ("GET /x", 'the form is "GET http://HOST/PATH"'),
        ("GET https://a.com/", "https is not supported, only http"),
        ("GET http:///x", "'' is not a host name with an optional port"),
        ("GET http://me@a.com/x", "'me@a.com' is not a host name with an optional port"),
        ("GET http://ü.com/x", "'\\xfc.com' is not a host name with an optional port"),
        ("GET http://a.com:8080/x", "load balancers serve plain HTTP on port 80"),
        ("GET http://a.com:x/", "load balancers serve plain HTTP on port 80"),
        ("GET http://a.com/x#y", "clients do not send the part after a number sign"),
        ("GET http://a.com/ü", "the path has spaces or characters outside ASCII"),
        ("GET http://a.com/x HTTP/1.1", "the path has spaces or characters outside ASCII"),
        ("GET http://a.com/x\ny", 'the form is "GET http://HOST/PATH"'),
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

"""Annotations of routes through a real HAProxy: cases in tests/data/ingress/answers, one file for each annotation.

A case has annotations (without our prefix), requests with the expected answers, and the reasons of expected problems.
``tls`` are names with a certificate. A request with ``https`` is sent over TLS; a ``handshake`` is what a client offers
(``alpn``, the ``newest`` version of TLS), with what is ``negotiated`` or why it is ``refused``.
Each case is one more change of the same HAProxy.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.annotations.ports import PORTS
from rancherctl.ingress.annotations.table import KNOWN, PLACEMENT
from rancherctl.ingress.haproxy.responses import ORIGIN
from rancherctl.ingress.translate.rules import translate
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.tls_host import TlsHost

DATA = Path(__file__).parents[1] / "data" / "ingress" / "answers"
CASES = [
    pytest.param(case, id=f"{file.stem}-{number}")
    for file in sorted(DATA.iterdir())
    for number, case in enumerate(yaml.safe_load(file.read_text(encoding="utf-8")))
]
NEIGHBOUR = fake.ingress("neighbour", [("neighbour.org", "Prefix", "/", "web:80")], created="2020-01-01T00:00:00Z")
"""It has no options, and the same Service."""


def made(case: dict[str, Any]) -> Any:
    """The Ingress of a case. Its rules are (host, type, path); by default one for everything on o.com."""
    rules = [(*rule, "web:80") for rule in case.get("rules", [("o.com", "Prefix", "/")])]
    notes = {name if "." in name else INGRESS_PREFIX + name: text for name, text in case["annotations"].items()}
    names = [("certificate", case["tls"])] if "tls" in case else []
    return fake.ingress("o", rules, annotations=notes, version=repr(case), tls=names)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsHost]:
    host = TlsHost(fake.Haproxy(tmp_path_factory.mktemp("haproxy")))
    host.start()
    yield host
    host.close()


@pytest.fixture(scope="module")
def certificate(host: TlsHost) -> tls.Pair:
    return host.authority.issue("o.com", "*.o.com")


def ask(host: LoadBalancerHost, request: dict[str, Any]) -> dict[str, Any]:
    """Send a request; the answer in the words of the cases, with those that the case has."""
    source = (request.get("from", "127.0.0.1"), 0)
    connection = http.client.HTTPConnection("127.0.0.1", host.haproxy.port, timeout=60, source_address=source)
    try:
        if request.get("https"):
            name = request.get("sni", request.get("host", "o.com"))
            connection.sock = tls.connect(host.haproxy.https_port, name, source=source[0])
        headers = {"Host": request.get("host", "o.com"), **request.get("headers", {})}
        connection.request(request.get("method", "GET"), request.get("path", "/"), request.get("body"), headers)
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    found: dict[str, Any] = {"status": response.status, "origin": response.getheader(ORIGIN, "")}
    for name, pattern in request.get("matches", {}).items():
        assert re.fullmatch(pattern, response.getheader(name, "")), (request, response.getheader(name, ""))
    return found | {"answer": {name: response.getheader(name, "") for name in request.get("answer", {})}}


def shake(host: LoadBalancerHost, case: dict[str, Any]) -> dict[str, Any]:
    """The result of a handshake, in the words of the cases."""
    offer = case["handshake"]
    name, alpn = offer.get("sni", "o.com"), tuple(offer.get("alpn", ()))
    found = tls.negotiated(host.haproxy.https_port, name, alpn=alpn, newest=offer.get("newest", ""))
    return {"refused": found} if isinstance(found, str) else {"negotiated": [one for one in found if one]}


@pytest.mark.parametrize("case", CASES)
def test_requests_are_answered_as_in_the_case(
    host: TlsHost, pods_on_loopback: None, certificate: tls.Pair, case: dict[str, Any]
) -> None:
    ingress = made(case)
    assert [p.reason for p in translate(ingress).problems] == case.get("problems", [])
    before = host.driver.counters.reloads
    section = host.reconcile([NEIGHBOUR, ingress], {"web": ["w1"]}, copies=[certificate.copy("certificate")])
    assert section["alarm"] == ""
    needed = host.driver.counters.reloads - before
    assert needed <= (1 if case.get("reload") or not before else 0), "only a new text needs a reload"
    wrong = [
        (request, found)
        for request in case.get("requests", [])
        if (found := ask(host, request))
        != {"status": request["status"], "origin": request.get("origin", ""), "answer": request.get("answer", {})}
    ]
    assert wrong == []
    hands = case.get("handshakes", [])
    assert [shake(host, one) for one in hands] == [
        {word: one[word] for word in ("refused", "negotiated") if word in one} for one in hands
    ]
    # a time limit of the case would end the neighbour's slow request, too
    slow = any("timeout" in name for name in case["annotations"])
    assert host.haproxy.answer("neighbour.org", "/slow" if slow else "/") == "w1"


def test_every_annotation_of_routes_has_cases() -> None:
    """Those about ports have tests of their own: test_ingress_ports.py."""
    assert {file.stem for file in DATA.iterdir()} >= {
        row.title.lower() for row in KNOWN if row not in (*PLACEMENT, *PORTS)
    }


def test_values_change_a_hundred_times_without_a_reload(lb_host: LoadBalancerHost) -> None:
    for turn in range(100):
        notes = {"timeout-read": f"{turn + 1}m", "body-size": str(turn), "timeout-tunnel": f"{turn + 5}s"}
        section = lb_host.reconcile([NEIGHBOUR, made({"annotations": notes})], {"web": ["w1"]})
        assert section["metrics"]["reloads"] == 1
    assert ask(lb_host, {"method": "POST", "body": "x" * 99})["status"] == 200
    assert ask(lb_host, {"method": "POST", "body": "x" * 100})["status"] == 413


def test_twenty_new_texts_at_once_need_one_reload_and_the_next_ingress_with_one_needs_none(
    lb_host: LoadBalancerHost,
) -> None:
    """Texts: what servers are spoken to is one."""
    first = lb_host.reconcile([NEIGHBOUR], {"web": ["w1"]})["metrics"]["reloads"]
    many = [
        fake.ingress(
            f"i{n}",
            [(f"i{n}.com", "Prefix", "/", "web:80")],
            annotations={f"{INGRESS_PREFIX}backend-protocol": ["h2c", "https", "grpc", "grpcs"][n % 4]},
        )
        for n in range(20)
    ]
    assert lb_host.reconcile([NEIGHBOUR, *many], {"web": ["w1"]})["metrics"]["reloads"] == first + 1
    one = fake.ingress(
        "one", [("one.com", "Prefix", "/", "api:80")], annotations={f"{INGRESS_PREFIX}backend-protocol": "h2c"}
    )
    assert lb_host.reconcile([NEIGHBOUR, *many, one], {"web": ["w1"], "api": ["a1"]})["metrics"]["reloads"] == first + 1

"""Ingresses on ports of their own through a real HAProxy: http.port, https.port and allow.http."""

from __future__ import annotations

import contextlib
import http.client
from typing import Any

import pytest

from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.h2 import H2Connection
from tests.fakes.tls_host import REFUSED, TlsHost, reasons, site


def on_ports(name: str, http: int | None = None, https: int | None = None, **more: Any) -> Any:
    """An Ingress for one host name with a secret, on other ports."""
    own = {"http.port": http, "https.port": https}
    annotations = {key: str(port) for key, port in own.items() if port}
    return site(name, more.pop("secret", "sa"), annotations=annotations | more.pop("annotations", {}), **more)


@pytest.fixture
def plain() -> int:
    return fake.free_port()


@pytest.fixture
def secure() -> int:
    return fake.free_port()


def get(port: int, host: str, path: str = "/") -> tuple[str, str]:
    """The pod that answered over plain HTTP, else the status; and the header Location. "" if nothing listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        body = response.read().decode()
    except ConnectionRefusedError:
        return "", ""
    finally:
        connection.close()
    pod = body.split('"')[3] if body.startswith("{") else str(response.status)
    return pod, response.getheader("Location", "")


def test_an_ingress_is_served_on_its_ports_only(tls_host: TlsHost, plain: int, secure: int) -> None:
    pair = tls_host.authority.issue("a.example", "b.example")
    b = site("b.example", "sa", service="other")
    section = tls_host.follow([on_ports("a.example", plain, secure), b], [pair.copy("sa")])
    assert section["problems"] == {}
    assert section["served"].keys() == {"default/i-a.example", "default/i-b.example"}
    assert section["ports"].keys() == {str(p) for p in (plain, secure, tls_host.port, tls_host.haproxy.port)}
    assert get(plain, "a.example", "/x?y") == ("308", f"https://a.example:{secure}/x?y")
    assert get(plain, "a.example", "/.well-known/acme-challenge/x")[0] == "308", "authorities ask on port 80 only"
    assert tls.answer(secure, "a.example") == "w1"
    assert tls_host.haproxy.answer("a.example") == "404"
    assert tls_host.serial("a.example") == REFUSED
    assert tls_host.answer("b.example", host="a.example") == "421", "another name's connection does not lead there"
    assert get(plain, "b.example") == ("404", "")
    assert tls.serial(secure, "b.example") == REFUSED
    assert tls.answer(secure, "a.example", host="b.example") == "421"
    assert tls_host.answer("b.example") == "o1"
    with contextlib.closing(tls.Connection(secure, "a.example")) as connection:
        headers = connection.request("a.example")[1]["headers"]
    assert (headers["x-forwarded-port"], headers["x-forwarded-proto"]) == (str(secure), "https")
    with tls.connect(secure, "a.example", alpn=("h2", "http/1.1")) as stream:
        http2 = H2Connection(stream)
        assert http2.get("a.example", "/").answer == "w1"
        http2.close()


def test_a_host_with_such_ingresses_only_does_not_listen_on_the_default_ports(
    tls_host: TlsHost, plain: int, secure: int
) -> None:
    blocker = fake.Pod("blocker", "0.0.0.0", tls_host.haproxy.port)
    pair = tls_host.authority.issue("a.example")
    section = tls_host.follow([on_ports("a.example", plain, secure)], [pair.copy("sa")])
    assert list(section["served"]) == ["default/i-a.example"]
    assert section["alarm"] == ""
    assert tls.answer(secure, "a.example") == "w1"
    blocker.close()


def test_without_plain_http_its_names_are_not_found_there(tls_host: TlsHost) -> None:
    """Wildcards and redirects do not reach them, and the neighbours are as before."""
    pair = tls_host.authority.issue("a.example", "b.example")
    wildcard = fake.ingress("any", [("*.example", "Prefix", "/", "other:80")])
    closed = site("a.example", "sa", annotations={"allow.http": "false"})
    tls_host.follow([closed, site("b.example", "sa", service="other"), wildcard], [pair.copy("sa")])
    assert get(tls_host.haproxy.port, "a.example") == ("404", "")
    assert tls_host.answer("a.example") == "w1"
    assert tls_host.answer("a.example", host="b.example") == "o1"
    assert get(tls_host.haproxy.port, "b.example") == ("308", f"https://b.example:{tls_host.port}/")
    assert get(tls_host.haproxy.port, "c.example") == ("o1", "")
    before = tls_host.reloads
    opened = site("a.example", "sa", version="2")
    tls_host.follow([opened, site("b.example", "sa", service="other"), wildcard], [pair.copy("sa")])
    assert get(tls_host.haproxy.port, "a.example") == ("308", f"https://a.example:{tls_host.port}/")
    assert tls_host.answer("a.example") == "w1"
    closed = site("a.example", "sa", version="3", annotations={"allow.http": "false"})
    tls_host.follow([closed, site("b.example", "sa", service="other"), wildcard], [pair.copy("sa")])
    assert get(tls_host.haproxy.port, "a.example") == ("404", "")
    assert tls_host.answer("a.example") == "w1"
    assert tls_host.reloads == before, "from then on, such changes need no reload"


def test_without_plain_http_and_tls_only_the_default_certificate_answers(tls_host: TlsHost) -> None:
    closed = fake.ingress("a", [("a.example", "Prefix", "/", "web:80")], annotations={"allow.http": "false"})
    section = tls_host.follow([closed], [])
    assert reasons(section, "default/a") == ["NotServed"]
    tls_host.start(TlsPolicy(default="infra/fallback"))
    section = tls_host.follow([closed], [tls_host.authority.issue("x.example").copy("fallback", "infra")])
    assert reasons(section, "default/a") == []
    assert tls_host.answer("a.example") == "w1"
    assert get(tls_host.haproxy.port, "a.example") == ("404", "")


def test_paths_of_one_host_may_be_on_different_ports(tls_host: TlsHost, plain: int, secure: int) -> None:
    pair = tls_host.authority.issue("a.example")
    usual = fake.ingress("usual", [("a.example", "Prefix", "/", "web:80")], tls=[("sa", ["a.example"])])
    admin = fake.ingress(
        "admin",
        [("a.example", "Prefix", "/admin", "other:80")],
        annotations={"http.port": str(plain), "https.port": str(secure)},
        tls=[("sa", ["a.example"])],
    )
    both = fake.ingress("both", [("a.example", "Prefix", "/both", "other:80")], annotations={"http.port": str(plain)})
    tls_host.follow([usual, admin, both], [pair.copy("sa")])
    assert tls_host.answer("a.example") == "w1"
    assert tls.answer(secure, "a.example", "/admin") == "o1"
    assert tls.answer(secure, "a.example", "/") == "404"
    with contextlib.closing(tls.Connection(tls_host.port, "a.example")) as connection:
        assert connection.answer("a.example", "/admin") == "w1", "a rule for / of the usual ports"
        assert connection.answer("a.example", "/both") == "o1", "only its plain requests have another port"
    assert get(tls_host.haproxy.port, "a.example", "/both") == ("308", f"https://a.example:{tls_host.port}/both")


def test_rules_without_a_host_and_wildcards_stay_on_their_ports(tls_host: TlsHost, plain: int) -> None:
    annotations = {"http.port": str(plain)}
    anywhere = fake.ingress("any", [("", "Prefix", "/x", "web:80")], default="web:80", annotations=annotations)
    wildcard = fake.ingress("wild", [("*.w.example", "Prefix", "/", "other:80")], annotations=annotations)
    usual = fake.ingress("usual", [("a.example", "Prefix", "/a", "other:80")])
    tls_host.follow([anywhere, wildcard, usual], [])
    assert [
        get(plain, host, path)[0] for host, path in (("z.example", "/x"), ("z.example", "/"), ("b.w.example", "/"))
    ] == [
        "w1",
        "w1",
        "o1",
    ]
    assert [get(tls_host.haproxy.port, host)[0] for host in ("z.example", "b.w.example")] == ["404", "404"]
    assert get(tls_host.haproxy.port, "a.example", "/a")[0] == "o1"
    assert get(plain, "a.example", "/a")[0] == "w1", "the default backend of this port"


def test_a_busy_port_takes_down_only_its_ingresses(tls_host: TlsHost, plain: int, secure: int) -> None:
    pair = tls_host.authority.issue("a.example", "b.example", "c.example")
    a, b = on_ports("a.example", plain, secure), on_ports("b.example", fake.free_port(), service="other")
    blocker = fake.Pod("blocker", "0.0.0.0", secure)
    section = tls_host.follow([a, b, site("c.example", "sa")], [pair.copy("sa")])
    assert section["served"].keys() == {"default/i-b.example", "default/i-c.example"}
    assert section["ports"][str(secure)] == f"port {secure}: Address already in use"
    assert section["placed"] == ["default/i-a.example", "default/i-b.example", "default/i-c.example"]
    message = f"port {secure}: Address already in use on h1"
    assert section["problems"] == {"default/i-a.example": [["PortInUse", message, True]]}
    assert section["alarm"] == ""
    assert get(plain, "a.example") == ("w1", ""), "no port to redirect to is open"
    assert (tls_host.answer("b.example"), tls_host.answer("c.example")) == ("o1", "w1")
    newer = tls_host.authority.issue("a.example", "b.example", "c.example")
    section = tls_host.follow([a, b, site("c.example", "sa")], [newer.copy("sa", version="2")], seconds=10)
    assert tls_host.serial("c.example") == newer.serial
    assert "error" not in section
    blocker.close()
    section = tls_host.follow([a, b, site("c.example", "sa")], [newer.copy("sa", version="2")])
    assert section["served"].keys() == {"default/i-a.example", "default/i-b.example", "default/i-c.example"}
    assert tls.answer(secure, "a.example") == "w1"
    assert get(plain, "a.example")[1] == f"https://a.example:{secure}/"


def test_certificates_change_while_the_usual_https_port_is_busy(tls_host: TlsHost) -> None:
    blocker = fake.Pod("blocker", "0.0.0.0", tls_host.port)
    ingresses = [site("a.example", "sa"), fake.ingress("plain", [("p.example", "Prefix", "/", "web:80")])]
    old, new = tls_host.authority.issue("a.example"), tls_host.authority.issue("a.example")
    for version, pair in enumerate((old, new), 1):
        section = tls_host.follow(ingresses, [pair.copy("sa", version=str(version))], seconds=10)
        assert "error" not in section
        assert section["served"].keys() == {"default/plain"}
        assert tls_host.haproxy.answer("p.example") == "w1"
    before = tls_host.reloads
    tls_host.follow(ingresses, [new.copy("sa", version="2")], seconds=10)
    assert tls_host.reloads == before, "HAProxy has all that it can have"
    blocker.close()
    section = tls_host.follow(ingresses, [new.copy("sa", version="2")])
    assert section["served"].keys() == {"default/i-a.example", "default/plain"}
    assert tls_host.serial("a.example") == new.serial


def test_changes_on_a_port_need_no_reload_and_the_last_one_closes_it_later(
    tls_host: TlsHost, plain: int, secure: int
) -> None:
    pair, own = tls_host.authority.issue("a.example", "b.example"), tls_host.authority.issue("b.example")
    usual = fake.ingress("usual", [("u.example", "Prefix", "/", "web:80")])
    a = on_ports("a.example", plain, secure)
    b = on_ports("b.example", plain, secure, service="other", secret="sb")
    tls_host.follow([usual], [])
    before = tls_host.reloads
    tls_host.follow([usual, a], [pair.copy("sa")])
    assert tls_host.reloads == before + 1, "a new port"
    tls_host.follow([usual, a, b], [pair.copy("sa"), own.copy("sb")])
    assert (tls.serial(secure, "a.example"), tls.serial(secure, "b.example")) == (pair.serial, own.serial)
    assert tls.answer(secure, "b.example") == "o1"
    assert get(plain, "b.example")[1] == f"https://b.example:{secure}/"
    tls_host.follow([usual, a, b], [pair.copy("sa"), pair.copy("sb", version="2")])
    assert tls.serial(secure, "b.example") == pair.serial
    section = tls_host.follow([usual], [pair.copy("sa")])
    assert section["served"].keys() == {"default/usual"}
    assert get(plain, "b.example") == ("404", "")
    assert tls.serial(secure, "a.example") == REFUSED
    assert tls_host.files() == set()
    tls_host.follow([usual], [], seconds=10)
    tls_host.follow([usual, a], [pair.copy("sa")])
    assert tls.answer(secure, "a.example") == "w1"
    tls_host.follow([usual], [])
    assert tls_host.reloads == before + 1
    other = fake.free_port()
    tls_host.follow([usual, on_ports("a.example", other)], [pair.copy("sa")])
    assert tls_host.reloads == before + 2
    assert get(other, "a.example")[1] == f"https://a.example:{tls_host.port}/"
    assert get(plain, "a.example") == ("", ""), "the next process does not listen there"


def test_a_port_changes_its_protocol_when_its_last_ingress_does(tls_host: TlsHost, plain: int) -> None:
    pair = tls_host.authority.issue("a.example", "b.example")
    a = on_ports("a.example", plain)
    b = on_ports("b.example", None, plain, service="other", created="2026-02-01T00:00:00Z")
    tls_host.follow([a, b], [pair.copy("sa")])
    assert get(plain, "b.example") == ("404", ""), "never without TLS"
    assert get(plain, "a.example")[1] == f"https://a.example:{tls_host.port}/"
    section = tls_host.follow([b], [pair.copy("sa")])
    assert tls.answer(plain, "b.example") == "o1"
    assert section["served"].keys() == {"default/i-b.example"}


def test_a_restarted_agent_and_haproxy_have_the_same_ports(tls_host: TlsHost, plain: int, secure: int) -> None:
    pair = tls_host.authority.issue("a.example")
    ingresses = [on_ports("a.example", plain, secure), site("u.example", "none")]
    tls_host.follow(ingresses, [pair.copy("sa")])
    tls_host.start()
    tls_host.role.reconcile(fake.Snapshot())
    before = tls_host.reloads
    section = tls_host.follow(ingresses, [pair.copy("sa")], seconds=10)
    assert tls_host.reloads == before
    assert section["served"].keys() == {"default/i-a.example", "default/i-u.example"}
    tls_host.haproxy.restart()
    tls_host.follow(ingresses, [pair.copy("sa")], seconds=10)
    assert tls.answer(secure, "a.example") == "w1"
    tls_host.reload()
    assert get(plain, "a.example")[1] == f"https://a.example:{secure}/"


def test_redirects_to_other_names_stay_on_the_port(tls_host: TlsHost, plain: int) -> None:
    annotations = {"http.port": str(plain), "ingress.rancherctl.io/www-redirect": "from-www"}
    tls_host.follow([fake.ingress("a", [("a.example", "Prefix", "/", "web:80")], annotations=annotations)], [])
    assert get(plain, "www.a.example", "/x") == ("308", f"http://a.example:{plain}/x")

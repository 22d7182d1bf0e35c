"""Options of HTTPS through a real HAProxy: what clients negotiate, by name, changed while it runs."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.haproxy import crt_list
from rancherctl.ingress.haproxy.crt_list import MAX_NAMES, ShownLine
from rancherctl.ingress.model import Proxies
from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.tls_host import TlsHost, site

TOO_OLD = "TLSV1_ALERT_PROTOCOL_VERSION"
BOTH = ("h2", "http/1.1")
_versions = map(str, itertools.count(1))


def named(name: str, secret: str, created: str = "2026-01-01T00:00:00Z", **options: str) -> Any:
    """An Ingress with a certificate for ``name``; options with underscores for hyphens."""
    notes = {INGRESS_PREFIX + option.replace("_", "-"): text for option, text in options.items()}
    return site(name, secret, created=created, annotations=notes, version=next(_versions))


def lines(tls_host: TlsHost) -> list[tuple[int, ShownLine]]:
    """The lines that HAProxy has, with their numbers."""
    return crt_list.parse(tls_host.driver.socket.send(f"show ssl crt-list -n {tls_host.haproxy.paths.crt_list}"))


def test_a_name_without_http2_offers_http_1_1_only(tls_host: TlsHost) -> None:
    pair = tls_host.authority.issue("a.example", "b.example")
    tls_host.follow([named("a.example", "s", http2="false"), named("b.example", "s")], [pair.copy("s")])
    assert tls.negotiated(tls_host.port, "a.example", alpn=BOTH)[1] == "http/1.1"
    assert tls.negotiated(tls_host.port, "b.example", alpn=BOTH)[1] == "h2", "the same certificate without the option"
    assert tls_host.answer("a.example") == "w1"
    assert len(tls_host.files()) == 1
    assert sorted((shown.words, shown.names) for _, shown in lines(tls_host)) == [
        ((), ("b.example",)),
        (("alpn", "http/1.1"), ("a.example",)),
    ]


def test_a_name_with_a_later_version_of_tls_refuses_earlier_ones(tls_host: TlsHost) -> None:
    pair = tls_host.authority.issue("a.example", "b.example")
    tls_host.follow([named("a.example", "s", tls_min_version="1.3"), named("b.example", "s")], [pair.copy("s")])
    assert tls.negotiated(tls_host.port, "a.example", newest="1.2") == TOO_OLD
    assert tls.negotiated(tls_host.port, "a.example")[0] == "TLSv1.3"
    assert tls.negotiated(tls_host.port, "b.example", newest="1.2")[0] == "TLSv1.2"


@pytest.mark.parametrize("options", [{}, {"tls_min_version": "1.2"}, {"tls_min_version": "1.1"}, {"http2": "false"}])
@pytest.mark.parametrize("name", ["a.example", "unknown.example"])
def test_tls_1_1_is_refused(tls_host: TlsHost, name: str, options: dict[str, str]) -> None:
    """With the defaults of an environment, with the default certificate, and whatever annotations say."""
    default = tls_host.authority.issue("default.example").copy("fallback", "infra")
    tls_host.start(TlsPolicy(default="infra/fallback") if name == "unknown.example" else None)
    copies = [default, tls_host.authority.issue("a.example").copy("sa")]
    tls_host.follow([named("a.example", "sa", **options)], copies)
    words = ["openssl", "s_client", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-servername", name]
    command = [*words, "-connect", f"127.0.0.1:{tls_host.port}"]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=60, check=False)
    assert "alert protocol version" in done.stderr


def test_options_change_a_hundred_times_without_a_reload_and_no_client_is_refused(tls_host: TlsHost) -> None:
    a, b = tls_host.authority.issue("a.example", "b.example"), tls_host.authority.issue("c.example")
    others = [named("b.example", "s"), named("c.example", "sc")]
    copies = [a.copy("s"), b.copy("sc")]
    tls_host.follow([named("a.example", "s"), *others], copies)
    before = tls_host.reloads
    with contextlib.closing(tls.Connection(tls_host.port, "a.example")) as kept:
        for turn in range(100):
            http2, newer = bool(turn & 1), bool(turn & 2)
            changed = named("a.example", "s", http2=str(http2), tls_min_version="1.3" if newer else "1.2")
            assert tls_host.follow([changed, *others], copies)["alarm"] == ""
            assert tls.negotiated(tls_host.port, "a.example", alpn=BOTH) == ("TLSv1.3", "h2" if http2 else "http/1.1")
            assert (tls.negotiated(tls_host.port, "a.example", newest="1.2") == TOO_OLD) == newer
            assert kept.answer("a.example") == "w1"
    assert tls.negotiated(tls_host.port, "b.example", alpn=BOTH)[1] == "h2"
    assert tls_host.serial("c.example") == b.serial
    assert (tls_host.reloads, len(lines(tls_host)), len(tls_host.files())) == (before, 3, 2)


def test_many_names_with_the_same_options_are_lines_of_at_most_200(tls_host: TlsHost) -> None:
    pair = tls_host.authority.issue("*.example")
    ingresses = [named(f"n{n}.example", "s", **({"http2": "false"} if n % 2 else {})) for n in range(2 * MAX_NAMES + 2)]
    tls_host.follow(ingresses, [pair.copy("s")])
    assert sorted(len(shown.names) for _, shown in lines(tls_host)) == [1, 1, MAX_NAMES, MAX_NAMES]
    assert len(tls_host.files()) == 1
    before = tls_host.reloads
    ingresses[0] = named("n0.example", "s", http2="false")
    tls_host.follow(ingresses, [pair.copy("s")])
    assert tls.negotiated(tls_host.port, "n0.example", alpn=BOTH)[1] == "http/1.1"
    assert tls.negotiated(tls_host.port, "n2.example", alpn=BOTH)[1] == "h2"
    assert (tls_host.reloads, len(tls_host.files())) == (before, 1)


def test_the_oldest_ingress_with_tls_chooses_the_options_of_a_shared_name(tls_host: TlsHost) -> None:
    pair = tls_host.authority.issue("a.example")
    old = named("a.example", "missing", http2="false")
    new = fake.ingress(
        "new",
        [("a.example", "Exact", "/new", "web:80")],
        tls=[("s", [])],
        created="2026-02-01T00:00:00Z",
        annotations={f"{INGRESS_PREFIX}tls-min-version": "1.3"},
    )
    tls_host.follow([new, old], [pair.copy("s")])
    assert tls_host.serial("a.example") == pair.serial, "its namespace fills in"
    assert tls.negotiated(tls_host.port, "a.example", alpn=BOTH, newest="1.2") == ("TLSv1.2", "http/1.1")


def test_options_survive_a_restart_and_are_repaired(tls_host: TlsHost) -> None:
    ingresses = [named("a.example", "s", http2="false"), named("b.example", "s")]
    copies = [tls_host.authority.issue("a.example", "b.example").copy("s")]
    tls_host.follow(ingresses, copies)
    tls_host.start()
    tls_host.role.reconcile(fake.Snapshot())  # the API does not answer
    assert tls.negotiated(tls_host.port, "a.example", alpn=BOTH)[1] == "http/1.1"
    number, shown = next(one for one in lines(tls_host) if one[1].words)
    path = tls_host.haproxy.paths.crt_list
    tls_host.driver.socket.send(f"add ssl crt-list {path} <<\n{shown.file} a.example\n")
    tls_host.driver.socket.send(f"del ssl crt-list {path} {shown.file}:{number}")
    assert tls.negotiated(tls_host.port, "a.example", alpn=BOTH)[1] == "h2"
    for _ in range(3):
        tls_host.follow(ingresses, copies, seconds=10)
    assert tls.negotiated(tls_host.port, "a.example", alpn=BOTH)[1] == "http/1.1"


def test_plain_requests_are_redirected_as_annotations_say(tls_host: TlsHost) -> None:
    """Method and query are kept; ACME challenges and sites that wait for their certificate are not redirected."""
    copies = [tls_host.authority.issue("a.example").copy("s")]
    late = named("late.example", "missing", ssl_redirect="true")

    def plain(path: str = "/", **options: str) -> tuple[int, str]:
        tls_host.follow([named("a.example", "s", **options), late], copies)
        status, _, location = tls_host.haproxy.redirect("a.example", path)
        return status, location

    place = f"https://a.example:{tls_host.port}/x?q=%2F"
    assert plain("/x?q=%2F") == (308, place)
    before = tls_host.reloads
    for code in ("301", "302", "307", "308"):
        assert plain("/x?q=%2F", ssl_redirect_code=code) == (int(code), place)
        assert plain("/.well-known/acme-challenge/x", ssl_redirect_code=code) == (200, "")
    assert plain(ssl_redirect="false") == (200, "")
    assert tls_host.haproxy.request("late.example")[0] == 200
    tls_host.start(TlsPolicy(redirect=False))
    assert plain() == (200, "")
    assert plain(ssl_redirect="auto", ssl_redirect_code="301")[0] == 301
    assert (tls_host.haproxy.request("a.example", method="POST")[0], tls_host.reloads) == (301, 0)
    assert before == 1


def test_the_redirect_never_loops_behind_a_trusted_proxy_and_no_other_client_can_prevent_it(tls_host: TlsHost) -> None:
    copies = [tls_host.authority.issue("a.example").copy("s")]
    over_tls = {"X-Forwarded-Proto": "https"}
    for proxies, answered in ((Proxies(trusted=("127.0.0.1/32",)), 200), (Proxies(), 308)):
        tls_host.new_role(tls_host.haproxy.all_listeners, proxies)
        tls_host.follow([named("a.example", "s", ssl_redirect="true")], copies)
        assert tls_host.haproxy.request("a.example", headers=over_tls)[0] == answered
        assert tls_host.haproxy.request("a.example", headers={"X-Forwarded-Proto": "http"})[0] == 308


def test_with_a_default_certificate_true_redirects_sites_without_their_own(tls_host: TlsHost) -> None:
    tls_host.start(TlsPolicy(default="infra/fallback"))
    copies = [tls_host.authority.issue("default.example").copy("fallback", "infra")]
    rules = [("plain.example", "Prefix", "/", "web:80"), ("", "Prefix", "/", "other:80")]
    for option, status in (("true", 308), ("auto", 200)):
        notes = {f"{INGRESS_PREFIX}ssl-redirect": option}
        tls_host.follow([fake.ingress("plain", rules, annotations=notes, version=next(_versions))], copies)
        assert tls_host.haproxy.request("plain.example")[0] == status
        assert tls_host.haproxy.redirect("any.example")[0] == status
        assert tls_host.haproxy.request("", headers={"X-A": "1"})[0] == 200, "without a name there is nowhere to go"
        assert tls_host.answer("plain.example") == "w1"
        assert tls_host.answer("any.example") == "o1"


def test_hsts_is_sent_over_tls_only_and_only_with_a_valid_certificate_for_the_name(tls_host: TlsHost) -> None:
    tls_host.start(TlsPolicy(default="infra/fallback"))
    default = tls_host.authority.issue("a.example", "default.example").copy("fallback", "infra")
    good, other = tls_host.authority.issue("a.example"), tls_host.authority.issue("b.example")
    expired = tls_host.authority.issue("a.example", days=-2)

    def header(copies: list[Any], sni: str | None = "a.example", secret: str = "s") -> str:
        ingress = named("a.example", secret, hsts="max-age=9; includeSubDomains", ssl_redirect="false")
        tls_host.follow([ingress, named("b.example", "sb")], [default, other.copy("sb"), *copies])
        with contextlib.closing(tls.Connection(tls_host.port, sni)) as connection:
            status, _, headers = connection.request("a.example")
        assert status == (200 if copies or not secret else 421)
        return headers.get("strict-transport-security", "")

    assert header([good.copy("s")]) == "max-age=9; includeSubDomains"
    before = tls_host.reloads
    assert header([good.copy("s")], sni=None) == "", "the default certificate was shown"
    assert header([good.copy("s")], sni="unknown.example") == ""
    assert header([good.copy("s")], sni="b.example") == "", "another name's certificate was shown"
    connection = tls_host.haproxy.redirect("a.example")
    assert connection[0] == 200, "over plain HTTP the answer is the service's own"
    assert header([other.copy("s", version="2")]) == "", "not for this name"
    assert header([expired.copy("s", version="3")]) == ""
    assert header([good.copy("s", version="4")]) == "max-age=9; includeSubDomains"
    assert header([], secret="") == "", "the default certificate is not its own, even if it has the name"
    assert tls_host.reloads == before


def test_redirects_change_a_hundred_times_without_a_reload(tls_host: TlsHost) -> None:
    copies = [tls_host.authority.issue("a.example").copy("s")]
    tls_host.follow([named("a.example", "s")], copies)
    before = tls_host.reloads
    for turn in range(100):
        code = ("301", "302", "307", "308")[turn % 4]
        redirect = ("true", "false", "auto")[turn % 3]
        tls_host.follow([named("a.example", "s", ssl_redirect=redirect, ssl_redirect_code=code)], copies)
        assert tls_host.haproxy.request("a.example")[0] == (200 if redirect == "false" else int(code))
    assert tls_host.reloads == before

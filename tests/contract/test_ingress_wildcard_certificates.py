"""A precise name and another Ingress's wildcard with another kind of key, through a real HAProxy.

HAProxy compares the keys of both before it compares the names: clients that can use EC keys would be shown the
certificate of the wildcard, with what its line says about versions and clients.
"""

from __future__ import annotations

import contextlib
import itertools

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.translate.certificates import TlsPolicy
from tests.fakes import mtls, tls
from tests.fakes.tls_host import TlsHost, site

NAME, OTHER, WILD = "b.a.example", "c.a.example", "*.a.example"
"""Names of two Ingresses; only the Service of the first one, in another namespace, has pods."""
OWN = site(NAME, "own", created="2026-01-02T00:00:00Z")
WILDCARD = site(WILD, "wild", service="other", namespace="platform")


def rsa(host: TlsHost, *names: str) -> tls.Pair:
    return host.authority.issue(*names, key=tls.rsa_key())


def shown(host: TlsHost) -> tuple[int | str, int | str]:
    """The certificates of the precise name, and of a name that only the wildcard is for."""
    return host.serial(NAME), host.serial(OTHER)


@pytest.mark.parametrize("first", ["precise", "wildcard", "both"])
def test_a_precise_name_has_its_own_certificate_whatever_comes_first(tls_host: TlsHost, first: str) -> None:
    own, wild = rsa(tls_host, NAME), tls_host.authority.issue(WILD)
    copies = [own.copy("own"), wild.copy("wild", "platform")]
    tls_host.follow([OWN] if first == "precise" else [WILDCARD] if first == "wildcard" else [], copies)
    before = tls_host.reloads
    tls_host.follow([OWN, WILDCARD], copies)
    assert tls_host.reloads == before + (first == "both"), "the first listener is a reload"
    assert shown(tls_host) == (own.serial, wild.serial)
    assert (tls_host.answer(NAME), tls_host.answer(OTHER)) == ("w1", "503")
    tls_host.reload()
    assert shown(tls_host) == (own.serial, wild.serial), "in a new process, too"
    tls_host.start()  # the agent, without the API
    tls_host.follow([OWN, WILDCARD], None)
    assert shown(tls_host) == (own.serial, wild.serial)


def test_keys_of_other_kinds_come_and_go_without_a_reload(tls_host: TlsHost) -> None:
    """All combinations of RSA, EC and both for the two names, one after the other."""
    kinds = {"rsa": ("rsa",), "ec": ("ec",), "both": ("rsa", "ec")}
    pairs = {
        (name, kind): tls_host.authority.issue(name, key=tls.rsa_key() if kind == "rsa" else None)
        for name in (NAME, WILD)
        for kind in ("rsa", "ec")
    }
    secrets = [
        pair.copy(f"s-{kind}", "default" if name == NAME else "platform") for (name, kind), pair in pairs.items()
    ]

    def follow(own: str, wild: str) -> None:
        ingresses = [
            site(
                name,
                "s",
                service=service,
                namespace=namespace,
                version=f"{own} {wild}",
                entries=[(f"s-{k}", [name]) for k in kinds[each]],
            )
            for name, service, namespace, each in ((NAME, "web", "default", own), (WILD, "other", "platform", wild))
        ]
        tls_host.follow(ingresses, secrets)

    follow("rsa", "rsa")
    before = tls_host.reloads
    every = list(itertools.product(kinds, kinds))
    for own, wild in [*every, *reversed(every)]:
        follow(own, wild)
        best = ["ec" if kind == "both" else kind for kind in (own, wild)]
        assert shown(tls_host) == (pairs[NAME, best[0]].serial, pairs[WILD, best[1]].serial), (own, wild)
    assert tls_host.reloads == before


def test_a_rotation_to_another_kind_of_key_shows_only_certificates_of_the_name(tls_host: TlsHost) -> None:
    wild = tls_host.authority.issue(WILD)
    first = rsa(tls_host, NAME)
    turns = [tls_host.authority.issue(NAME) if turn % 2 else rsa(tls_host, NAME) for turn in range(8)]
    tls_host.follow([OWN, WILDCARD], [first.copy("own"), wild.copy("wild", "platform")])
    before = tls_host.reloads
    with tls.Watcher(tls_host.port, NAME) as seen:
        for turn, pair in enumerate(turns, 2):
            tls_host.follow([OWN, WILDCARD], [pair.copy("own", version=str(turn)), wild.copy("wild", "platform")])
            assert shown(tls_host) == (pair.serial, wild.serial)
        seen.wait_for(20)
    assert seen.serials <= {first.serial, *[pair.serial for pair in turns]}
    assert tls_host.reloads == before


def test_the_wildcard_answers_again_for_a_precise_name_that_is_deleted(tls_host: TlsHost) -> None:
    own, wild = rsa(tls_host, NAME), tls_host.authority.issue(WILD)
    copies = [own.copy("own"), wild.copy("wild", "platform")]
    tls_host.follow([OWN, WILDCARD], copies)
    before = tls_host.reloads
    for _ in range(2):
        tls_host.follow([WILDCARD], copies)
        assert shown(tls_host) == (wild.serial, wild.serial)
        assert tls_host.answer(NAME) == "503"
        tls_host.follow([OWN, WILDCARD], copies)
        assert shown(tls_host) == (own.serial, wild.serial)
    tls_host.follow([OWN], copies)
    assert shown(tls_host) == (own.serial, "TLSV1_UNRECOGNIZED_NAME")
    assert tls_host.reloads == before


def test_versions_and_protocols_of_the_wildcard_do_not_count_for_the_precise_name(tls_host: TlsHost) -> None:
    notes = {f"{INGRESS_PREFIX}tls-min-version": "1.3", f"{INGRESS_PREFIX}http2": "false"}
    wildcard = site(WILD, "wild", service="other", namespace="platform", annotations=notes)
    own, wild = rsa(tls_host, NAME), tls_host.authority.issue(WILD)
    tls_host.follow([OWN, wildcard], [own.copy("own"), wild.copy("wild", "platform")])
    assert tls.negotiated(tls_host.port, NAME, alpn=("h2", "http/1.1"), newest="1.2") == ("TLSv1.2", "h2")
    assert tls.negotiated(tls_host.port, OTHER, alpn=("h2", "http/1.1")) == ("TLSv1.3", "http/1.1")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_client_of_the_wildcards_authority_is_none_of_the_precise_name(tls_host: TlsHost, version: str) -> None:
    """Its owner could issue clients of the other namespace: the fences compare names, which are right here."""
    one, two = tls.Authority("authority 1"), tls.Authority("authority 2")
    own, wild = rsa(tls_host, NAME), tls_host.authority.issue(WILD)
    sites = [
        mtls.guarded(NAME, "own", "ca", created="2026-01-02T00:00:00Z"),
        mtls.guarded(WILD, "wild", "cb", service="other"),
    ]
    cas = [mtls.ca_copy("ca", one), mtls.ca_copy("cb", two)]
    tls_host.follow(sites, [own.copy("own"), wild.copy("wild"), *cas])
    of_one, of_two = (mtls.Client(tls_host.port, each.issue("client"), version) for each in (one, two))
    assert [client.answer(NAME) for client in (of_one, of_two)] == ["w1", "refused"]
    assert [client.answer(OTHER) for client in (of_one, of_two)] == ["refused", "o1"]


def test_a_name_with_the_default_certificate_is_not_shown_that_of_a_wildcard(tls_host: TlsHost) -> None:
    tls_host.start(TlsPolicy(default="infra/fallback"))
    default, wild = rsa(tls_host, NAME, "default.example"), tls_host.authority.issue(WILD)
    own = site(NAME, "", created="2026-01-02T00:00:00Z")
    copies = [default.copy("fallback", "infra"), wild.copy("wild", "platform")]
    tls_host.follow([own, WILDCARD], copies)
    assert shown(tls_host) == (default.serial, wild.serial)
    assert tls_host.answer(NAME) == "w1"
    tls_host.follow([own], copies)
    assert shown(tls_host) == (default.serial, default.serial)


def test_many_precise_names_below_one_wildcard(tls_host: TlsHost) -> None:
    """They make its line longer than other commands; names beyond the limit are refused, and their Ingress says so."""
    pair, wild = rsa(tls_host, WILD), tls_host.authority.issue(WILD)
    names = [f"{'x' * 40}{number:04}.a.example" for number in range(600)]
    created = "2026-01-02T00:00:00Z"
    many = [site(name, "own", created=created) for name in names]
    copies = [pair.copy("own"), wild.copy("wild", "platform")]
    tls_host.follow([WILDCARD, *many[:-100]], copies)
    before = tls_host.reloads
    section = tls_host.follow([WILDCARD, *many], copies)
    assert tls_host.reloads == before
    told = [key for key, problems in section["problems"].items() if problems[0][0] == "TooManyCertificates"]
    refused = sorted(key.removeprefix("default/i-") for key in told)
    assert refused, "600 names of 54 characters"
    assert refused == names[-len(refused) :]
    served = names[-len(refused) - 1]
    assert [tls_host.serial(name) for name in (names[0], served, OTHER)] == [pair.serial, pair.serial, wild.serial]
    with contextlib.closing(tls.Connection(tls_host.port, refused[0])) as connection:
        assert connection.answer(refused[0]) == "421"
    assert tls_host.haproxy.answer(refused[0]) == "w1", "over plain HTTP it is served"
    tls_host.reload()
    assert [tls_host.serial(name) for name in (names[0], served, OTHER)] == [pair.serial, pair.serial, wild.serial]

"""TLS entries → names, owners of names, secrets for hosts, and what is said about certificates."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.model import TlsName, Translated
from rancherctl.ingress.options import TlsOptions
from rancherctl.ingress.translate.certificate import CertificateFacts
from rancherctl.ingress.translate.certificates import CertificateChoice, HostTls, TlsPolicy
from rancherctl.ingress.translate.rules import translate
from rancherctl.ingress.translate.secret_states import SecretState
from rancherctl.ingress.translate.tls import claim_names, secrets_on, sites_of
from tests.fakes import ingress as fake

DAY = 86_400


def of(
    name: str,
    hosts: list[str],
    tls: list[tuple[str, list[str]]],
    *,
    namespace: str = "default",
    age: int = 1,
    **options: str,
) -> Translated:
    """``options`` are annotations, with underscores for hyphens."""
    rules = [(host, "Prefix", "/", "web:80") for host in hosts]
    created = f"2026-01-{age:02}T00:00:00Z"
    notes = {INGRESS_PREFIX + option.replace("_", "-"): text for option, text in options.items()}
    return translate(fake.ingress(name, rules, namespace=namespace, tls=tls, created=created, annotations=notes))


def keyed(*translated: Translated) -> dict[str, Translated]:
    return {t.key: t for t in translated}


def usable(content: str, *names: str, days: float = 90, kind: str = "EC") -> SecretState:
    return SecretState(content, CertificateFacts(names or ("a.com",), int(days * DAY), kind))


def on_host(*translated: Translated, policy: TlsPolicy | None = None, **states: SecretState) -> HostTls:
    """What a host serves that carries all of these; ``states`` by name of the secret in the default namespace."""
    every = keyed(*translated)
    secrets = {f"default/{name}": state for name, state in states.items()}
    claims = claim_names(every)
    strict = {r.host.removesuffix(":443") for t in translated for r in t.routes if r.options.hsts}
    here, policy = claims.on(sites_of(every, every)), policy or TlsPolicy()
    choice = CertificateChoice()
    return choice.host_tls(here, translated, secrets, policy, 0.0, redirects=claims.redirects, strict=strict)


def reasons(found: HostTls, key: str = "default/i") -> list[str]:
    return [p.reason for p in found.problems.get(key, ())]


@pytest.mark.parametrize(
    ("hosts", "tls", "names"),
    [
        (["a.com"], [("s", ["a.com"])], {("a.com", "a.com", "s")}),
        (["A.com"], [("s", ["a.COM"])], {("a.com", "a.com", "s")}),
        (["a.com", "b.com"], [("s", [])], {("a.com", "a.com", "s"), ("b.com", "b.com", "s")}),
        (["a.com", "b.com"], [("s", []), ("t", ["a.com"])], {("a.com", "a.com", "t"), ("b.com", "b.com", "s")}),
        (["a.x.com"], [("s", ["*.x.com"])], {("a.x.com", "a.x.com", "s")}),
        (["a.x.com"], [("s", ["*.x.com"]), ("t", ["a.x.com"])], {("a.x.com", "a.x.com", "t")}),
        (["*.x.com"], [("s", ["*.x.com"])], {("*.x.com", "*.x.com", "s")}),
        (["*.x.com"], [("s", ["a.x.com"])], {("a.x.com", "*.x.com", "s")}),
        (["a.com"], [("s", ["a.com"]), ("t", ["a.com"])], {("a.com", "a.com", "s"), ("a.com", "a.com", "t")}),
        (["a.com"], [("", ["a.com"])], {("a.com", "a.com", "")}),
        (["", "a.com"], [("s", [])], {("a.com", "a.com", "s")}),
        ([""], [("s", [])], set()),
        (["a.b.x.com"], [("s", ["*.x.com"])], set()),
    ],
)
def test_entries_name_sites_of_the_same_ingress(
    hosts: list[str], tls: list[tuple[str, list[str]]], names: set[tuple[str, str, str]]
) -> None:
    wanted = {TlsName(name, site, f"default/{secret}" if secret else "") for name, site, secret in names}
    assert set(of("i", hosts, tls).tls) == wanted


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        ([("s", ["b.com"])], "tls: no rule of this ingress is for b.com"),
        ([("s", ["a.com;x"])], "tls: host 'a.com;x' is not a DNS name"),
        ([("../s", ["a.com"])], "tls: secret '../s' is not a valid name"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_and_other_entries_count(
    tls: list[tuple[str, list[str]]], message: str
) -> None:
    t = of("i", ["a.com"], [*tls, ("good", ["a.com"])])
    assert next(p.message for p in t.problems).startswith(message)
    assert [n.secret for n in t.tls] == ["default/good"]


def test_an_ingress_with_tls_needs_both_ports_and_has_another_hash() -> None:
    plain, secure = of("i", ["a.com"], []), of("i", ["a.com"], [("s", ["a.com"])])
    assert (plain.for_placement.ports, secure.for_placement.ports) == ((80,), (80, 443))
    assert len({plain.hash, secure.hash, of("i", ["a.com"], [("t", ["a.com"])]).hash}) == 3


def test_the_oldest_ingress_owns_a_name_also_with_an_unusable_secret() -> None:
    old = of("old", ["a.com"], [("s", ["a.com"])], namespace="team", age=1)
    new = of("new", ["a.com"], [("t", ["a.com"])], namespace="other", age=2)
    claims = claim_names(keyed(new, old))
    claim = claims.names["a.com"]
    assert (claim.owner, claim.candidates) == ("team/old", (("team/old", ("team/s",)),))
    assert [p.message for p in claims.problems["other/new"]] == [
        "the certificate of a.com is that of the older ingress team/old"
    ]
    names, states = claims.on({"a.com"}), {"other/t": usable("c2")}
    found = CertificateChoice().host_tls(names, [old, new], states, TlsPolicy(), 0.0)
    assert found.model.names == {}
    assert secrets_on(claims, {"a.com"}) == {"team/s"}, "the loser's key is not even copied"


def test_only_the_namespace_of_the_owner_fills_in_for_a_missing_secret() -> None:
    old = of("old", ["a.com"], [("s", ["a.com"])], age=1)
    new = of("new", ["a.com"], [("t", ["a.com"])], age=2)
    assert on_host(old, new, t=usable("c2")).model.names == {"a.com": ("c2",)}
    assert on_host(old, new, s=usable("c1"), t=usable("c2")).model.names == {"a.com": ("c1",)}


def test_the_owner_chooses_the_options_of_a_name_also_if_another_ingress_fills_in() -> None:
    old = of("old", ["a.com"], [("s", ["a.com"])], age=1, http2="false")
    new = of("new", ["a.com", "b.com"], [("t", [])], age=2, tls_min_version="1.3")
    found = on_host(old, new, t=usable("c2"))
    assert found.model.names == {"a.com": ("c2",), "b.com": ("c2",)}
    assert found.model.options == {"a.com": TlsOptions(http2=False), "b.com": TlsOptions(tls_min_version="1.3")}
    claims = claim_names(keyed(old, new))
    assert {key: [p.message for p in said] for key, said in claims.problems.items()} == {
        "default/new": ["the TLS annotations of the older ingress default/old count for a.com"]
    }
    same = of("new", ["a.com"], [("t", [])], age=2, http2="false")
    assert claim_names(keyed(old, same)).problems == {}
    assert claim_names(keyed(old, of("new", ["a.com"], [("t", [])], age=2))).problems == {}


def test_options_hold_for_names_with_the_default_certificate_and_need_tls() -> None:
    plain, named = of("p", ["a.com"], [], http2="false"), of("i", ["b.com"], [("", ["b.com"])], http2="false")
    assert [p.message for p in plain.problems] == ["http2 has no effect without tls"]
    assert plain.hash == of("p", ["a.com"], []).hash
    found = on_host(plain, named, policy=TlsPolicy(default="default/d"), d=usable("c0"))
    assert (found.model.names, found.model.options) == ({"b.com": ("c0",)}, {"b.com": TlsOptions(http2=False)})


def test_one_certificate_of_each_kind_of_key_is_used() -> None:
    t = of("i", ["a.com"], [("s", ["a.com"]), ("t", ["a.com"]), ("u", ["a.com"])])
    found = on_host(t, s=usable("c1", kind="RSA"), t=usable("c2"), u=usable("c3"))
    assert found.model.names == {"a.com": ("c1", "c2")}


def test_a_host_gets_secrets_for_its_sites_only() -> None:
    every = keyed(
        of("here", ["a.com"], [("s", ["a.com"])], age=1),
        of("shares", ["a.com", "z.com"], [("t", ["z.com"])], age=2),
        of("elsewhere", ["b.com"], [("u", ["b.com"])], age=3),
        of("anyhost", [""], [], age=4),
        of("wild", ["*.com"], [("w", ["*.com"])], age=5),
    )
    claims = claim_names(every)
    assert secrets_on(claims, sites_of(every, ["default/here"])) == {"default/s"}
    assert secrets_on(claims, sites_of(every, ["default/anyhost"])) == set()
    assert secrets_on(claims, sites_of(every, ["default/wild"])) == {"default/w"}, "not those of precise names"
    assert secrets_on(claims, sites_of(every, ["default/shares"])) == {"default/s", "default/t"}


def test_only_sites_with_a_certificate_are_answered_over_tls_and_redirected() -> None:
    t = of("i", ["a.com", "b.com"], [("s", ["a.com"]), ("late", ["b.com"])])
    found = on_host(t, of("plain", ["c.com"], []), s=usable("c1"))
    assert (found.model.sites, found.model.redirects) == ({"a.com"}, {"a.com": 308})
    assert reasons(found) == ["CertificatePending"]
    assert on_host(t, policy=TlsPolicy(redirect=False), s=usable("c1")).model.redirects == {}


def test_the_default_certificate_answers_for_sites_without_a_secret() -> None:
    named, plain, anywhere = of("i", ["a.com"], [("", ["a.com"])]), of("p", ["b.com"], []), of("x", [""], [])
    late = of("late", ["l.com"], [("missing", ["l.com"])])
    policy = TlsPolicy(default="default/d")
    found = on_host(named, plain, anywhere, late, policy=policy, d=usable("c0"))
    assert found.model.sites == {"a.com", "b.com", "*"}
    assert found.model.redirects == {"a.com": 308}
    assert (found.model.names, found.model.default) == ({}, "c0")
    assert reasons(on_host(named)) == ["NoDefaultCertificate"]


AUTO, OFF = TlsPolicy(), TlsPolicy(redirect=False)
DEFAULT = TlsPolicy(default="default/d")


@pytest.mark.parametrize(
    ("policy", "options", "redirects"),
    [
        (AUTO, {}, {"a.com": 308}),
        (AUTO, {"ssl_redirect": "false"}, {}),
        (AUTO, {"ssl_redirect": "true", "ssl_redirect_code": "301"}, {"a.com": 301}),
        (AUTO, {"ssl_redirect_code": "307"}, {"a.com": 307}),
        (AUTO, {"ssl_redirect": "yes", "ssl_redirect_code": "303"}, {"a.com": 308}),
        (OFF, {}, {}),
        (OFF, {"ssl_redirect_code": "302"}, {}),
        (OFF, {"ssl_redirect": "auto", "ssl_redirect_code": "302"}, {"a.com": 302}),
        (OFF, {"ssl_redirect": "true"}, {"a.com": 308}),
        (DEFAULT, {"ssl_redirect": "true"}, {"a.com": 308, "plain.com": 308}),
        (DEFAULT, {"ssl_redirect": "auto"}, {"a.com": 308}),
        (DEFAULT, {"ssl_redirect": "false"}, {}),
    ],
)
def test_annotations_decide_before_the_environment_what_is_redirected(
    policy: TlsPolicy, options: dict[str, Any], redirects: dict[str, int]
) -> None:
    """A host that waits for its own certificate is never redirected: an authority could not issue it."""
    named = of("i", ["a.com", "late.com"], [("s", ["a.com"]), ("late", ["late.com"])], **options)
    plain = of("p", ["plain.com"], [], **options)
    assert on_host(named, plain, policy=policy, s=usable("c1"), d=usable("c0")).model.redirects == redirects


def test_a_redirect_that_leads_nowhere_is_said() -> None:
    plain = of("p", ["b.com", "a.com"], [], ssl_redirect="true")
    assert [p.message for p in on_host(plain).problems["default/p"]] == [
        "ssl-redirect has no effect for a.com, b.com: no certificate, and none by default"
    ]
    assert on_host(plain, policy=DEFAULT, d=usable("c0")).problems == {}
    assert reasons(on_host(of("i", ["a.com"], [("s", ["a.com"])], ssl_redirect="true"))) == ["CertificatePending"]


def test_a_wildcard_with_a_certificate_for_one_name_only_is_not_redirected() -> None:
    one = of("i", ["*.x.com"], [("s", ["a.x.com"])])
    assert on_host(one, s=usable("c1", "a.x.com")).model.redirects == {}
    every = of("i", ["*.x.com"], [("s", ["a.x.com"]), ("t", ["*.x.com"])])
    assert on_host(every, t=usable("c2", "*.x.com")).model.redirects == {"*.x.com": 308}


def test_the_oldest_ingress_with_tls_for_a_site_says_whether_it_is_redirected() -> None:
    plain = of("first", ["a.com", "b.com"], [], age=1, ssl_redirect="true")
    secure = of("second", ["a.com"], [("s", ["a.com"])], age=2, ssl_redirect_code="301")
    later = of("third", ["a.com"], [("s", ["a.com"])], age=3, ssl_redirect="false")
    every = keyed(plain, secure, later)
    claims = claim_names(every)
    assert {s: r.option.ssl_redirect_code for s, r in claims.redirects.items()} == {"a.com": 301, "b.com": 308}
    assert {key: [p.message for p in said] for key, said in claims.problems.items()} == {
        key: ["whether a.com is redirected to HTTPS is for the older ingress default/second to say"]
        for key in ("default/first", "default/third")
    }
    found = on_host(plain, secure, later, s=usable("c1"))
    assert found.model.redirects == {"a.com": 301}


def test_redirects_of_other_ports_are_apart() -> None:
    usual = of("u", ["a.com"], [("s", ["a.com"])], age=1, ssl_redirect="false", hsts="max-age=1")
    ports: dict[str, Any] = {"http.port": "8080", "https.port": "8443"}
    own = of("o", ["a.com"], [("t", ["a.com"])], age=2, ssl_redirect_code="301", hsts="max-age=1", **ports)
    plain = of("p", ["p.com"], [], age=3, ssl_redirect="true", **ports)
    found = on_host(usual, own, plain, policy=DEFAULT, d=usable("c0"), s=usable("c1"), t=usable("c2"))
    assert found.problems == {}
    assert found.model.redirects == {"a.com:8080": 301, "p.com:8080": 308}
    assert found.model.https_ports == {"a.com:8080": 8443, "p.com:8080": 8443}
    assert found.model.certified == {"a.com", "a.com:8443"}
    none = of("n", ["n.com"], [], age=1, ssl_redirect="true", **{"allow.http": "false"})
    assert on_host(none, policy=DEFAULT, d=usable("c0")).model.redirects == {}


def strict(*translated: Translated, **states: SecretState) -> frozenset[str]:
    return on_host(*translated, policy=DEFAULT, d=usable("c0", "a.com", "b.com"), **states).model.certified


@pytest.mark.parametrize(
    ("state", "certified"),
    [
        (usable("c1", "a.com"), {"a.com"}),
        (usable("c1", "*.com"), {"a.com"}),
        (usable("c1", "a.com", days=-1), set()),
        (usable("c1", "b.com"), set()),
        (SecretState(trouble="missing"), set()),
        (SecretState("c1", CertificateFacts(("a.com",), DAY, "EC"), "unusable", "x"), {"a.com"}),
    ],
)
def test_only_a_valid_certificate_of_its_own_makes_a_site_certified(state: SecretState, certified: set[str]) -> None:
    assert strict(of("i", ["a.com"], [("s", ["a.com"])], hsts="max-age=1"), s=state) == certified
    assert strict(of("i", ["a.com"], [("s", ["a.com"])]), s=state) == set(), "only where it matters"


def test_every_certificate_of_a_certified_site_is_valid_and_the_default_one_never_counts() -> None:
    assert strict(of("i", ["a.com"], [("", ["a.com"])], hsts="max-age=1")) == set()
    both = of("i", ["a.com"], [("s", ["a.com"]), ("t", ["a.com"])], hsts="max-age=1")
    assert strict(both, s=usable("c1"), t=usable("c2", kind="RSA")) == {"a.com"}
    assert strict(both, s=usable("c1"), t=usable("c2", kind="RSA", days=-1)) == set()
    wild = of("i", ["*.x.com"], [("s", ["*.x.com"]), ("t", ["a.x.com"])], hsts="max-age=1")
    assert strict(wild, s=usable("c1", "*.x.com"), t=usable("c2", "a.x.com")) == {"*.x.com"}
    assert strict(wild, s=usable("c1", "*.x.com"), t=usable("c2", "b.x.com")) == set()
    assert strict(wild, t=usable("c2", "a.x.com")) == set()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (usable("c1", "a.com"), []),
        (usable("c1", "*.com"), []),
        (usable("c1", "b.com"), ["CertificateName"]),
        (usable("c1", "a.com", days=13.5), ["CertificateExpiring"]),
        (usable("c1", "a.com", days=-1), ["CertificateExpired"]),
        (SecretState(trouble="unusable", reason="x"), ["CertificateInvalid"]),
        (SecretState("c1", CertificateFacts(("a.com",), 90 * DAY, "EC"), "deleted"), ["CertificateDeleted"]),
    ],
)
def test_what_is_said_about_a_certificate(state: SecretState, expected: list[str]) -> None:
    found = on_host(of("i", ["a.com"], [("s", ["a.com"])]), s=state)
    assert reasons(found) == expected
    assert (found.model.names == {"a.com": ("c1",)}) == bool(state.content), "an expired one is served, too"

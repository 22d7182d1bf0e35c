"""TLS entries → names, owners of names, secrets for hosts, and what is said about certificates."""

from __future__ import annotations

import pytest

from rancherctl.contract import INGRESS_PREFIX
from rancherctl.ingress.model import TlsName, Translated
from rancherctl.ingress.options import TlsOptions
from rancherctl.ingress.translate.certificate import CertificateFacts
from rancherctl.ingress.translate.certificates import CertificateChoice, HostTls, SecretState, TlsPolicy
from rancherctl.ingress.translate.rules import translate
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
    claims = claim_names(every).on(sites_of(every, every))
    return CertificateChoice().host_tls(claims, translated, secrets, policy or TlsPolicy(), 0.0)


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
    found = CertificateChoice().host_tls(claims.on({"a.com"}), [old, new], {"other/t": usable("c2")}, TlsPolicy(), 0.0)
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
    assert (found.model.sites, found.model.redirects) == ({"a.com"}, {"a.com"})
    assert reasons(found) == ["CertificatePending"]
    assert on_host(t, policy=TlsPolicy(redirect=False), s=usable("c1")).model.redirects == set()


def test_the_default_certificate_answers_for_sites_without_a_secret() -> None:
    named, plain, anywhere = of("i", ["a.com"], [("", ["a.com"])]), of("p", ["b.com"], []), of("x", [""], [])
    late = of("late", ["l.com"], [("missing", ["l.com"])])
    policy = TlsPolicy(default="default/d")
    found = on_host(named, plain, anywhere, late, policy=policy, d=usable("c0"))
    assert found.model.sites == {"a.com", "b.com", "*"}
    assert found.model.redirects == {"a.com"}
    assert (found.model.names, found.model.default) == ({}, "c0")
    assert reasons(on_host(named)) == ["NoDefaultCertificate"]


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

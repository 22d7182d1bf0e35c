"""Certificates of clients: whose authorities count for a name, what is closed, and in which order HAProxy learns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rancherctl.ingress.haproxy import plan
from rancherctl.ingress.haproxy.client_certificates import NAMES_MAP, POOL_MAP
from rancherctl.ingress.haproxy.layout import Layout, build
from rancherctl.ingress.model import ClientPolicy, Model, Server, Translated
from rancherctl.ingress.options import RouteOptions
from rancherctl.ingress.role import loss_guard
from rancherctl.ingress.tls_model import TlsModel
from rancherctl.ingress.translate.certificates import CertificateChoice, HostTls, TlsPolicy
from rancherctl.ingress.translate.clients import NO_PROOF, effective, host_clients, joined, proof
from rancherctl.ingress.translate.secret_states import SecretState
from rancherctl.ingress.translate.tls import claim_names, secrets_on, sites_of
from tests.unit.ingress.test_plan import HTTP, PATHS, Replay, _route
from tests.unit.ingress.test_tls import keyed, of, usable

CA, CB = "client-ca:default/ca", "client-ca:default/cb"
NEEDS = ClientPolicy(CA)


def on_host(*translated: Translated, **authorities: str) -> HostTls:
    """What a host serves with a certificate for all names, and these contents of authorities by name of the secret."""
    states = {f"client-ca:default/{name}": SecretState(content) for name, content in authorities.items()}
    every = keyed(*translated)
    claims = claim_names(every).on(sites_of(every, every))
    secrets = {"default/s": usable("cert"), **states}
    return CertificateChoice().host_tls(claims, translated, secrets, TlsPolicy(), 0.0)


def problems(*translated: Translated) -> dict[str, list[str]]:
    return {key: [p.reason for p in found] for key, found in claim_names(keyed(*translated)).problems.items()}


def test_a_handshake_asks_for_what_the_ingresses_of_the_name_say() -> None:
    optional, other = ClientPolicy(CA, required=False), ClientPolicy(CB)
    assert joined([None, None]) is None
    assert joined([NEEDS]) == joined([NEEDS, NEEDS]) == NEEDS
    assert joined([None, NEEDS]) == optional, "the older one has routes for everybody"
    assert joined([NEEDS, optional]) == joined([NEEDS, other]) == optional, "its pools still require it"
    assert joined([optional, NEEDS]) == optional


def test_hosts_get_the_authorities_for_their_names_and_no_others() -> None:
    a = of("a", ["a.com"], [("s", [])], client_ca="ca")
    b = of("b", ["b.com"], [("s", [])], client_ca="cb")
    claims = claim_names(keyed(a, b))
    assert secrets_on(claims, {"a.com"}) == {"default/s", CA}
    assert claims.secrets[a.key] == {"default/s", CA}, "a new address waits for both"


def test_authorities_of_another_namespace_or_of_a_younger_ingress_are_never_used_and_that_is_reported() -> None:
    old = of("old", ["a.com"], [("s", [])], client_ca="ca")
    foreign = of("f", ["a.com"], [("s", [])], namespace="other", age=2, client_ca="cb")
    young = of("y", ["a.com"], [("s", [])], age=3, client_ca="cb")
    claims = claim_names(keyed(old, foreign, young))
    assert secrets_on(claims, {"a.com"}) == {"default/s", CA}
    found = problems(old, foreign, young)
    assert found["other/f"] == ["CertificateShadowed", "ClientCaShadowed"]
    assert found["default/y"] == ["ClientCaShadowed"]
    assert old.key not in found
    (message,) = (p.message for p in claims.problems["default/y"])
    assert message == (
        "client-ca: certificates of clients for a.com are verified as ingress default/old says; requests to this "
        "ingress get status 403"
    )


def test_a_host_without_an_entry_in_tls_is_reported() -> None:
    a = of("a", ["a.com", "b.com", ""], [("s", ["a.com"])], client_ca="ca")
    assert problems(a) == {a.key: ["ClientCaWithoutTls"]}
    assert problems(of("a", ["a.com"], [], client_ca="ca")) == {"default/a": ["ClientCaWithoutTls"]}
    assert problems(of("a", ["a.com"], [("s", [])], client_ca="ca")) == {}


def test_a_line_asks_for_certificates_only_if_the_authorities_are_there() -> None:
    a = of("a", ["a.com"], [("s", [])], client_ca="ca", http2="false")
    without, ready = on_host(a), on_host(a, ca="c1")
    assert [p.reason for p in without.problems[a.key]] == ["ClientCaMissing"]
    assert (without.model.clients, without.model.authorities) == ({}, {})
    assert not without.model.options["a.com"].authority
    options = ready.model.options["a.com"]
    assert (options.verify, options.http2) == ("required", False)
    assert ready.model.authorities == {options.authority: "c1"}
    assert ready.model.clients == {"a.com": proof(CA, {CA: "c1"})}
    assert on_host(a, ca="c2").model.clients != ready.model.clients, "other authorities prove something else"
    assert ready.problems == {}


def test_names_without_a_certificate_of_their_own_prove_nothing() -> None:
    policies = {"*.w.com": NEEDS, "a.w.com": ClientPolicy(CB), "b.w.com": None, "c.com": None, "a.b.w.com": None}
    contents = {CA: "1", CB: "2"}
    found = host_clients(policies, set(policies), contents).clients
    assert found == {"*.w.com": proof(CA, contents), "a.w.com": proof(CB, contents), "b.w.com": NO_PROOF}
    pending = host_clients(policies, {"*.w.com", "b.w.com"}, contents).clients
    assert pending["a.w.com"] == NO_PROOF, "its handshake is that of the wildcard, with authorities of somebody else"
    assert host_clients(policies, {"*.w.com"}, {CB: "2"}).clients == {}


def test_a_route_is_closed_without_its_authorities_and_otherwise_needs_their_proof() -> None:
    route = replace(_route("a.com", "/", "a"), options=RouteOptions(client_ca="ca", read_timeout=1))
    key = "client-ca:ns/ca"
    for contents in ({}, {key: ""}, {"client-ca:other/ca": "1"}):
        assert effective(route, contents).options.closed
    found = effective(route, {key: "1"}).options
    assert found == replace(route.options, client_policy=f"required|{proof(key, {key: '1'})}")
    optional = replace(route, options=replace(route.options, client_verify="optional"))
    assert effective(optional, {key: "1"}).options.client_policy.startswith("optional|")
    plain = _route("a.com", "/", "a")
    assert effective(plain, {}) is plain


SITE = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["", "required", "optional"]), st.sampled_from("xy"), st.sampled_from([7, 8])
)
"""Service, verification ("" = none), authorities, and the value of another option."""
Turn = tuple[dict[str, tuple[str, str, str, int]], dict[str, str], dict[str, str]]
TURN = st.tuples(
    st.dictionaries(st.sampled_from(["a.com", "b.com", "c.com"]), SITE),
    st.dictionaries(st.sampled_from(["a.com", "*.a.com", "x.a.com"]), st.sampled_from(["1", "2", NO_PROOF])),
    st.fixed_dictionaries({"x": st.sampled_from("12"), "y": st.sampled_from("12")}),
)
"""Sites, what handshakes for names prove, and contents of authorities."""


def _options(verify: str, ca: str, content: str, timeout: int) -> RouteOptions:
    if not verify:
        return RouteOptions(read_timeout=timeout)
    needed = f"{verify}|{ca}{content}"
    return RouteOptions(client_ca=ca, client_verify=verify, client_policy=needed, read_timeout=timeout)


def _model(
    sites: dict[str, tuple[str, str, str, int]] | None = None,
    names: dict[str, str] | None = None,
    contents: dict[str, str] | None = None,
) -> Model:
    routes = tuple(
        replace(_route(host, "/", service), options=_options(verify, ca, (contents or {}).get(ca, "1"), timeout))
        for host, (service, verify, ca, timeout) in (sites or {}).items()
    )
    servers = {f"ns/{s}:80": (Server("10.0.0.1", n),) for n, s in enumerate("ab", 1)}
    return Model(HTTP, routes, servers, tls=TlsModel(clients=names or {}, authorities={"f": "1"}))


def _needed(model: Model, host: str) -> str:
    return next((r.options.client_policy for r in model.routes if r.host == host), "")


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


@given(st.lists(TURN, min_size=2, max_size=5))
def test_no_command_opens_a_route_for_a_moment(turns: list[Turn]) -> None:
    """Between two commands a route needs what it needs before or after all of them; changed names prove nothing.

    What it needs: the same authorities, as they were before or are afterwards.
    """
    before = _model(*turns[0])
    now: Layout = build(replace(before, tls=replace(before.tls, clients={"y": "1"})), None)
    for model in (_model(*turn) for turn in turns):
        decision = plan.plan(now, model, PATHS)
        if isinstance(decision, plan.Runtime):
            replay, names, pools = Replay(now), PATHS.map(NAMES_MAP), PATHS.map(POOL_MAP)
            changed = _changed(now.maps[NAMES_MAP], model.tls.clients)
            for command in decision.before:
                replay.take(command.text)
            for command in decision.commands:
                assert {replay.maps[names][name] for name in changed} <= {NO_PROOF}
                replay.take(command.text)
                for host in ("a.com", "b.com", "c.com"):
                    either = {_needed(before, host)[:-1], _needed(model, host)[:-1]}
                    if "" not in either and (pool := replay.maps[PATHS.map("prefix")].get(f"{host}/")):
                        assert replay.maps[pools].get(pool, "")[:-1] in either, (host, command)
            for command in decision.after:
                replay.take(command.text)
            assert replay.maps[names] == dict(model.tls.clients)
        now, before = decision.layout, model


def test_the_first_policy_needs_a_reload_and_its_end_does_not() -> None:
    plain, asking = _model(), _model(names={"a.com": "1"})
    now = build(plain, None)
    first = plan.plan(now, asking, PATHS)
    assert isinstance(first, plan.Reload)
    assert first.reason == "first certificates of clients: TLS sessions are not resumed any more"
    assert first.layout.asks_clients
    ended = plan.plan(first.layout, plain, PATHS)
    assert isinstance(ended, plan.Runtime)
    assert ended.layout.asks_clients, "the process stays as it is"
    assert not build(plain, ended.layout).asks_clients, "the next one resumes sessions"
    rotated = replace(asking, tls=replace(asking.tls, authorities={"f": "2", "g": "1"}))
    decision = plan.plan(first.layout, rotated, PATHS)
    assert isinstance(decision, plan.Runtime)
    assert decision.authorities == {"f": "2", "g": "1"}
    back = plan.plan(decision.layout, asking, PATHS)
    assert isinstance(back, plan.Runtime)
    assert (back.authorities, back.unused) == ({"f": "1"}, ("g",))


def test_a_layout_with_policies_is_stored_and_read() -> None:
    layout = replace(build(_model({"a.com": ("a", "required", "x", 7)}, {"a.com": "1"}), None), text="x")
    assert Layout.from_json(layout.to_json(), ("IPv4",)) == layout


def test_what_a_mass_loss_keeps_stays_closed_to_the_same_clients() -> None:
    a = of("a", ["a.com"], [("s", [])], client_ca="ca")
    tls = on_host(a, ca="c1").model
    now = build(Model(HTTP, (), {}, tls=tls), None)
    kept = loss_guard.without_removals(now, Model(HTTP)).tls
    assert (kept.clients, kept.authorities, kept.options) == (tls.clients, tls.authorities, tls.options)

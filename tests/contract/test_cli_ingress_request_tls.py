"""``rancherctl ingress show --request`` over HTTPS: certificate, handshake, redirects, and hosts that differ."""

# ruff: noqa: F811 - fixtures of another module
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.test_cli_ingress import CONFIGMAPS, INGRESSES, SYSTEM, api, run  # noqa: F401
from tests.contract.test_cli_ingress import _object as object_of
from tests.contract.test_cli_ingress_request import services  # noqa: F401
from tests.fakes.kube import FakeApi

Run = Callable[..., tuple[int, str, str]]
URL = "https://foo.bar.com/foo"
WAITING = "waiting for secret shop/foo (type kubernetes.io/tls); until then its hosts answer plain HTTP only"


def _report(api: FakeApi, host: str, *, default: str = "", redirect: bool = True, **more: Any) -> None:
    """What a host reports; ``lacking`` are secrets without a usable certificate, ``problems`` those of shop/front."""
    problems = {"shop/front": [["CertificatePending", text, False] for text in more.get("problems", ())]}
    tls = {"default": default, "redirect": redirect, "lacking": more.get("lacking", [])}
    section = {"problems": problems, "tls": tls, "ports": more.get("ports", {})}
    body = {
        "metadata": {"name": f"report-{host}", "namespace": SYSTEM},
        "data": {"report": json.dumps({"sections": {"lb": section}})},
    }
    api.store.put(CONFIGMAPS, SYSTEM, body)


@pytest.fixture
def secure(services: FakeApi) -> FakeApi:
    """shop/front has a certificate, which both hosts have."""
    front = object_of("front")
    front["spec"]["tls"] = [{"secretName": "foo", "hosts": ["foo.bar.com"]}]
    services.store.put(INGRESSES, "shop", front)
    for host in ("h1", "h2"):
        _report(services, host)
    return services


def _answers(run: Run, *words: str) -> list[Any]:
    code, out, err = run("show", "front", *words, "-o", "json")
    assert (code, err) == (0, "")
    answers: list[Any] = json.loads(out)["answers"]
    return answers


def test_the_certificate_the_rule_and_the_endpoints_are_shown(run: Run, secure: FakeApi) -> None:
    code, out, _ = run("show", "front", "--request", f"GET {URL}")
    assert code == 0
    assert out == (
        "GET https://foo.bar.com/foo\n"
        "on h1 127.0.0.1, h2 127.0.0.2:\n"
        "  certificate: secret shop/foo (for foo.bar.com, of ingress shop/front)\n"
        "  rule:   foo.bar.com/foo (prefix) of ingress shop/front\n"
        "  answer: forwarded to shop/web:80 (10.42.0.3:8080, 10.42.1.4:8080)\n"
    )
    (answer,) = _answers(run, "--request", URL)
    assert answer["certificate"] == {"name": "foo.bar.com", "ingress": "shop/front", "secrets": ["shop/foo"]}


def test_plain_requests_are_redirected_and_challenges_are_not(run: Run, secure: FakeApi) -> None:
    (answer,) = _answers(run, "--request", "http://foo.bar.com/foo?q=1")
    assert (answer["answer"], answer["status"], answer["location"], answer["rule"], answer["note"]) == (
        *("tls-redirect", 308, "https://foo.bar.com/foo?q=1"),
        *(None, ""),
    )
    text = run("show", "front", "--request", "http://foo.bar.com/foo?q=1")[1]
    assert "answer: status 308, redirect to https://foo.bar.com/foo?q=1\n" in text
    (answer,) = _answers(run, "--request", "http://foo.bar.com/.well-known/acme-challenge/x")
    assert answer["answer"] == "no-route"
    assert answer["note"] == "not redirected to HTTPS: it is a challenge of a certificate authority"


def test_hosts_that_differ_are_shown_apart_with_their_reasons(run: Run, secure: FakeApi) -> None:
    _report(secure, "h2", lacking=["shop/foo"], problems=[WAITING])
    first, second = _answers(run, "--request", URL)
    assert [h["host"] for h in first["hosts"]] == ["h1"]
    assert (first["answer"], second["answer"], second["certificate"]) == ("forwarded", "refused", None)
    text = run("show", "front", "--request", URL)[1]
    assert "on h2 127.0.0.2:\n  answer: TLS handshake refused, no certificate for foo.bar.com: " in text
    assert f"{WAITING}; the environment has no default certificate\n" in text
    first, second = _answers(run, "--request", "http://foo.bar.com/foo")
    assert (first["answer"], second["answer"], second["note"]) == (
        *("tls-redirect", "forwarded"),
        f"not redirected to HTTPS: {WAITING}",
    )


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        (
            ("--sni", ""),
            "refused",
            "the client asks for no name (SNI); the environment has no default certificate",
        ),
        (
            ("--sni", "other.org"),
            "refused",
            (
                "no certificate for other.org: no ingress has a tls entry for it; "
                "the environment has no default certificate"
            ),
        ),
    ],
)
def test_a_handshake_that_is_refused_says_why(
    run: Run, secure: FakeApi, words: tuple[str, ...], kind: str, reason: str
) -> None:
    (answer,) = _answers(run, "--request", URL, *words)
    assert (answer["answer"], answer["status"], answer["reason"], answer["backend"]) == (kind, 0, reason, "")
    assert f"TLS connection for {words[1] or 'no name'}\n" in run("show", "front", "--request", URL, *words)[1]


def test_a_default_certificate_answers_for_all_names(run: Run, secure: FakeApi) -> None:
    for host in ("h1", "h2"):
        _report(secure, host, default="infra/fallback")
    (answer,) = _answers(run, "--request", URL, "--sni", "")
    assert answer["certificate"] == {"name": "", "ingress": "", "secrets": ["infra/fallback"]}
    assert answer["answer"] == "forwarded"
    assert (
        "certificate: secret infra/fallback (the default certificate)\n"
        in (run("show", "front", "--request", URL, "--sni", "")[1])
    )
    for host in ("h1", "h2"):
        _report(secure, host, default="infra/fallback", lacking=["infra/fallback"])
    (answer,) = _answers(run, "--request", URL, "--sni", "")
    assert answer["reason"] == (
        "the client asks for no name (SNI); the default certificate infra/fallback is missing or not usable"
    )


def test_a_misdirected_request_says_which_name_has_no_certificate(run: Run, secure: FakeApi) -> None:
    words = ("--sni", "foo.bar.com")
    (answer,) = _answers(run, "--request", "https://elsewhere.org/", *words)
    assert (answer["answer"], answer["status"]) == ("misdirected", 421)
    assert answer["reason"] == "no rule names elsewhere.org, and the TLS connection is for foo.bar.com"
    plain = object_of("plain")
    plain["spec"]["rules"][0]["host"] = "plain.bar.com"
    plain["metadata"]["annotations"] = {"io.rancher.scheduler.global": "true"}
    secure.store.put(INGRESSES, "shop", plain)
    (answer,) = _answers(run, "--request", "https://plain.bar.com/foo", *words)
    assert (answer["status"], answer["reason"]) == (
        421,
        "no certificate for plain.bar.com here: no ingress has a tls entry for it",
    )


def test_the_switch_of_redirects_and_a_busy_port_are_named(run: Run, secure: FakeApi) -> None:
    _report(secure, "h1", redirect=False)
    _report(secure, "h2", ports={"443": "port 443 is used by nginx"})
    first, second = _answers(run, "--request", "http://foo.bar.com/foo")
    assert (first["answer"], first["note"]) == (
        "forwarded",
        "not redirected to HTTPS: ingress.tls.redirect of the environment is off",
    )
    assert second["note"] == "not redirected to HTTPS: another program uses the port of HTTPS"
    second = _answers(run, "--request", URL)[1]
    assert (second["answer"], second["reason"]) == ("no-listener", "another program uses port 443 of the host")


def test_a_host_of_an_earlier_release_does_not_say_what_it_has(run: Run, secure: FakeApi) -> None:
    for host in ("h1", "h2"):
        secure.store.put(
            CONFIGMAPS, SYSTEM, {"metadata": {"name": f"report-{host}", "namespace": SYSTEM}, "data": {"report": "{}"}}
        )
    first, second = _answers(run, "--request", URL)
    assert first["answer"] == second["answer"] == "forwarded"
    assert first["note"] == "h1 does not report which certificates it has; all are taken as usable"


def test_the_length_of_a_body_counts(run: Run, secure: FakeApi) -> None:
    front = object_of("front")
    front["metadata"]["annotations"]["ingress.rancherctl.io/body-size"] = "1k"
    secure.store.put(INGRESSES, "shop", front)
    words = ("--request", "POST http://foo.bar.com/foo", "--content-length")
    (answer,) = _answers(run, *words, "1025")
    assert (answer["answer"], answer["status"]) == ("too-large", 413)
    assert answer["reason"] == "the Content-Length 1025 is larger than the 1024 bytes of the annotation body-size"
    assert _answers(run, *words, "1024")[0]["answer"] == "forwarded"


def test_a_port_without_a_listener_is_an_error(run: Run, secure: FakeApi) -> None:
    for url, why in (
        ("http://foo.bar.com:8080/", "load balancers listen on the ports 80 (http), 443 (https)"),
        ("http://foo.bar.com:443/", "port 443 is for https"),
        ("https://foo.bar.com:80/", "port 80 is for http"),
    ):
        code, out, err = run("show", "front", "--request", url)
        assert (code, out) == (2, "")
        assert why in err


def test_an_ingress_that_no_host_serves_is_explained_for_one_that_would(run: Run, secure: FakeApi) -> None:
    nowhere = object_of("front")
    nowhere["spec"]["tls"] = [{"secretName": "foo"}]
    nowhere["metadata"]["annotations"]["io.rancher.scheduler.affinity.host_label"] = "zone=mars"
    secure.store.put(INGRESSES, "shop", nowhere)
    out = run("show", "front", "--request", URL)[1]
    assert "no host serves shop/front now; a host that served it would answer:\n  certificate: secret shop/foo" in out


def test_certificates_of_clients_are_explained(run: Run, secure: FakeApi) -> None:
    front = object_of("front")
    front["spec"]["tls"] = [{"secretName": "foo", "hosts": ["foo.bar.com"]}]
    front["metadata"]["annotations"] |= {"ingress.rancherctl.io/client-ca": "people"}
    secure.store.put(INGRESSES, "shop", front)
    (answer,) = _answers(run, "--request", URL)
    assert answer["answer"] == "refused"
    assert answer["reason"] == "the client has no certificate, and the handshake for foo.bar.com needs one (client-ca)"
    (answer,) = _answers(run, "--request", URL, "--client-certificate")
    assert (answer["answer"], answer["certificate"]["secrets"]) == ("forwarded", ["shop/foo"])
    front["metadata"]["annotations"] |= {"ingress.rancherctl.io/ssl-redirect": "false"}
    front["metadata"]["annotations"] |= {"ingress.rancherctl.io/client-verify": "optional"}
    secure.store.put(INGRESSES, "shop", front)
    assert _answers(run, "--request", URL)[0]["answer"] == "forwarded"
    for host in ("h1", "h2"):
        _report(secure, host, lacking=["client-ca:shop/people"])
    (answer,) = _answers(run, "--request", URL)
    assert (answer["answer"], answer["status"]) == ("closed", 503)
    assert run("show", "front", "--request", "http://foo.bar.com/", "--client-certificate")[0] == 2


def test_redirects_that_annotations_decide_are_explained(run: Run, secure: FakeApi) -> None:
    front = object_of("front")
    front["spec"]["tls"] = [{"secretName": "foo", "hosts": ["foo.bar.com"]}]
    plain = ("--request", "http://foo.bar.com/foo")
    for given, answer, status, note in (
        ({"ssl-redirect-code": "301"}, "tls-redirect", 301, ""),
        ({"ssl-redirect": "false"}, "forwarded", 0, "not redirected to HTTPS: the annotation ssl-redirect is false"),
    ):
        own = {f"ingress.rancherctl.io/{name}": text for name, text in given.items()}
        front["metadata"]["annotations"] = {"scale": "2"} | own
        secure.store.put(INGRESSES, "shop", front)
        (found,) = _answers(run, *plain)
        assert (found["answer"], found["status"], found["note"]) == (answer, status, note)
    front["metadata"]["annotations"] = {"scale": "2"}
    front["spec"]["rules"][0]["host"] = "*.bar.com"
    secure.store.put(INGRESSES, "shop", front)
    (found,) = _answers(run, *plain)
    assert found["note"] == "not redirected to HTTPS: only some names of *.bar.com have a certificate"


def test_an_ingress_on_ports_of_its_own_is_explained_there(run: Run, secure: FakeApi) -> None:
    front = object_of("front")
    front["spec"]["tls"] = [{"secretName": "foo", "hosts": ["foo.bar.com"]}]
    own = {"ingress.rancherctl.io/http.port": "8080", "ingress.rancherctl.io/https.port": "8443"}
    front["metadata"]["annotations"] |= own
    secure.store.put(INGRESSES, "shop", front)
    (found,) = _answers(run, "--request", "http://foo.bar.com:8080/foo")
    assert (found["answer"], found["location"]) == ("tls-redirect", "https://foo.bar.com:8443/foo")
    (found,) = _answers(run, "--request", "https://foo.bar.com:8443/foo")
    assert (found["answer"], found["rule"]["host"]) == ("forwarded", "foo.bar.com:8443")
    assert found["certificate"] == {"name": "foo.bar.com:8443", "ingress": "shop/front", "secrets": ["shop/foo"]}
    code, _, err = run("show", "front", "--request", "http://foo.bar.com/foo")
    assert code == 2
    assert "load balancers listen on the ports 8080 (http), 8443 (https)" in err


def test_a_host_without_plain_http_says_so(run: Run, secure: FakeApi) -> None:
    front = object_of("front")
    front["spec"]["tls"] = [{"secretName": "foo", "hosts": ["foo.bar.com"]}]
    front["metadata"]["annotations"] |= {"ingress.rancherctl.io/allow.http": "false"}
    secure.store.put(INGRESSES, "shop", front)
    (found,) = _answers(run, "--request", "http://foo.bar.com/foo")
    assert (found["answer"], found["status"]) == ("no-route", 404)
    assert found["note"] == "the rules of this host are for HTTPS only (annotation allow.http)"
    assert _answers(run, "--request", URL)[0]["answer"] == "forwarded"


def test_no_redirect_leads_to_a_port_that_another_program_uses(run: Run, secure: FakeApi) -> None:
    """As on the host: what HAProxy has no listener for is not in its maps either."""
    front = object_of("front")
    front["spec"]["tls"] = [{"secretName": "foo", "hosts": ["foo.bar.com"]}]
    front["metadata"]["annotations"] = {"http.port": "8080", "https.port": "8443"}
    secure.store.put(INGRESSES, "shop", front)
    assert [a["answer"] for a in _answers(run, "--request", "http://foo.bar.com:8080/foo")] == ["tls-redirect"]
    for host in ("h1", "h2"):
        _report(secure, host, ports={"8443": "port 8443 is used by nginx"})
    (answer,) = _answers(run, "--request", "http://foo.bar.com:8080/foo")
    assert (answer["answer"], answer["location"]) == ("forwarded", "")

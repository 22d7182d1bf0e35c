"""``rancherctl ingress show --request`` with an API over HTTP: the answer to one request, explained."""

# ruff: noqa: F811 - fixtures of another module
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from rancherctl.contract import INGRESS_PREFIX
from tests.contract.test_cli_ingress import INGRESSES, api, run  # noqa: F401
from tests.contract.test_cli_ingress import _object as object_of
from tests.fakes.kube import FakeApi, Fault

Run = Callable[..., tuple[int, str, str]]
SERVICE = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"ports": [{"name": "http", "port": 80}]}}


def _endpoints(*addresses: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [address]} for address in addresses],
    }


@pytest.fixture
def services(api: FakeApi) -> FakeApi:
    api.store.put("/api/v1/services", "shop", SERVICE)
    api.store.put("/apis/discovery.k8s.io/v1/endpointslices", "shop", _endpoints("10.42.0.3", "10.42.1.4"))
    return api


def _only(run: Run, *words: str) -> Any:
    code, out, err = run("show", "front", *words, "-o", "json")
    assert (code, err) == (0, "")
    (answer,) = json.loads(out)["answers"]
    return answer


def test_a_request_that_is_forwarded_shows_hosts_rule_and_endpoints(run: Run, services: FakeApi) -> None:
    code, out, _ = run("show", "front", "--request", "GET http://FOO.bar.com/foo/x?q=1")
    assert code == 0
    assert out == (
        "GET http://FOO.bar.com/foo/x?q=1\n"
        "on h1 127.0.0.1, h2 127.0.0.2:\n"
        "  rule:   foo.bar.com/foo (prefix) of ingress shop/front\n"
        "  answer: forwarded to shop/web:80 (10.42.0.3:8080, 10.42.1.4:8080)\n"
    )
    answer = _only(run, "--request", "GET http://foo.bar.com/foo")
    assert (answer["answer"], answer["status"], answer["pattern"]) == ("forwarded", 0, "foo.bar.com")
    assert answer["rule"] == {"host": "foo.bar.com", "match": "prefix", "path": "/foo"}
    assert answer["hosts"] == [{"host": "h1", "address": "127.0.0.1"}, {"host": "h2", "address": "127.0.0.2"}]


def test_a_request_without_a_rule_shows_what_was_compared(run: Run, services: FakeApi) -> None:
    for url, reason in (
        ("http://foo.bar.com/fool", "no rule matches; host foo.bar.com: /foo (prefix)"),
        ("http://other.com/foo", "no rule matches; rules without a host: no paths"),
    ):
        answer = _only(run, "--request", url)
        assert (answer["answer"], answer["status"], answer["reason"]) == ("no-route", 404, reason)
        assert f"answer: status 404, {reason}" in run("show", "front", "--request", url)[1]


def test_a_service_that_is_missing_or_empty_is_the_reason_of_a_503(run: Run, api: FakeApi) -> None:
    answer = _only(run, "--request", "GET http://foo.bar.com/foo")
    assert (answer["status"], answer["reason"]) == (503, "service shop/web not found")
    api.store.put("/api/v1/services", "shop", SERVICE)
    answer = _only(run, "--request", "GET http://foo.bar.com/foo")
    assert (answer["status"], answer["reason"]) == (503, "service shop/web has no ready endpoint")
    assert (answer["backend"], answer["endpoints"]) == ("shop/web:80", [])


def test_an_older_ingress_that_answers_is_named(run: Run, services: FakeApi) -> None:
    old = {
        "metadata": {"name": "old", "namespace": "shop", "creationTimestamp": "2020-01-01T00:00:00Z"},
        "spec": {
            "ingressClassName": "rancher",
            "rules": [
                {
                    "host": "foo.bar.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/foo",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "web", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ],
        },
    }
    services.store.put(INGRESSES, "shop", old)
    assert (
        "rule:   foo.bar.com/foo (prefix) of ingress shop/old, not of shop/front"
        in (run("show", "front", "--request", "GET http://foo.bar.com/foo")[1])
    )


def test_redirects_access_lists_and_invalid_ones_are_explained(run: Run, services: FakeApi) -> None:
    prefix = "ingress.rancherctl.io/"
    lists = {f"{prefix}allow-source": "192.0.2.0/24"}
    for notes, source, kind, status, text in (
        ({f"{prefix}redirect": "https://new.org/"}, "", "redirect", 302, "status 302, redirect to https://new.org/"),
        (lists, "192.0.2.7", "forwarded", 0, "forwarded to shop/web:80"),
        (lists, "10.0.0.1", "denied", 403, "status 403, the access list of the ingress does not allow 10.0.0.1"),
        (
            {f"{prefix}deny-source": "x"},
            "",
            "closed",
            503,
            "status 503, an annotation that restricts access is invalid",
        ),
    ):
        changed = object_of("front")
        changed["metadata"]["annotations"] |= notes
        services.store.put(INGRESSES, "shop", changed)
        words = ("--request", "http://foo.bar.com/foo", *(("--from", source) if source else ()))
        answer = _only(run, *words)
        assert (answer["answer"], answer["status"]) == (kind, status)
        assert f"answer: {text}" in run("show", "front", *words)[1]


def test_endpoints_that_may_not_be_read_are_unknown_not_missing(run: Run, services: FakeApi) -> None:
    def refuse(handler: Any) -> bool:
        handler.answer(403, {"kind": "Status", "status": "Failure", "message": "services is forbidden", "code": 403})
        return True

    services.faults.append(Fault(lambda method, path, query: "/services/" in path, refuse, times=9))
    answer = _only(run, "--request", "GET http://foo.bar.com/foo")
    assert answer["answer"] == "forwarded"
    assert answer["reason"].startswith("endpoints unknown: ")


def test_a_request_that_cannot_be_sent_is_an_error_before_the_api_is_asked(
    run: Run,
    api: FakeApi,
) -> None:
    code, out, err = run("show", "front", "--request", "GET foo.bar.com")
    assert (code, out) == (2, "")
    assert "invalid request 'GET foo.bar.com'" in err
    assert 'the form is "GET https://HOST/PATH"' in err
    assert api.requests == []


def test_what_browsers_ask_before_a_request_of_another_site_is_answered_here(run: Run, services: FakeApi) -> None:
    front = object_of("front")
    url = "http://foo.bar.com/foo"
    assert _only(run, "--request", f"OPTIONS {url}")["answer"] == "forwarded"
    notes = {f"{INGRESS_PREFIX}cors-origins": "https://a.com", "io.rancher.scheduler.global": "true"}
    front["metadata"]["annotations"] = notes
    services.store.put(INGRESSES, "shop", front)
    answer = _only(run, "--request", f"OPTIONS {url}")
    assert (answer["answer"], answer["status"]) == ("preflight", 204)
    assert "annotation cors-origins" in answer["reason"]
    assert _only(run, "--request", url)["answer"] == "forwarded"


@pytest.mark.parametrize(("target", "other"), [("only-local", "no-endpoint"), ("prefer-local", "forwarded")])
def test_endpoints_of_the_host_itself_are_shown_if_an_annotation_asks_for_them(
    run: Run, services: FakeApi, target: str, other: str
) -> None:
    front, slice_of = object_of("front"), _endpoints("10.42.0.3", "10.42.1.4")
    front["metadata"]["annotations"] = {f"{INGRESS_PREFIX}target": target, "io.rancher.scheduler.global": "true"}
    for endpoint, node in zip(slice_of["endpoints"], ("h1", "elsewhere"), strict=True):
        endpoint["nodeName"] = node
    services.store.put(INGRESSES, "shop", front)
    services.store.put("/apis/discovery.k8s.io/v1/endpointslices", "shop", slice_of)
    code, out, _ = run("show", "front", "--request", "http://foo.bar.com/foo", "-o", "json")
    first, second = json.loads(out)["answers"]
    assert (code, first["endpoints"], first["hosts"][0]["host"]) == (0, ["10.42.0.3:8080"], "h1")
    assert (second["answer"], second["hosts"][0]["host"]) == (other, "h2")
    if target == "only-local":
        assert second["reason"] == "no ready endpoint on h2 (annotation target: only-local)"
    assert second["endpoints"] == ([] if target == "only-local" else ["10.42.0.3:8080", "10.42.1.4:8080"])

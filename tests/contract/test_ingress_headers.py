"""Large headers through a real HAProxy, and what it says about requests and answers that it refuses."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from rancherctl.ingress.haproxy.profile_text import server_words
from rancherctl.ingress.haproxy.render import text_digest
from rancherctl.ingress.operator import http_check
from tests.fakes import ingress as fake
from tests.fakes.ingress_host import LoadBalancerHost
from tests.fakes.request_stream import Clients

FOO = [("foo.bar.com", "Prefix", "/foo", "web:80")]
KB = 1 << 10


def curl(host: LoadBalancerHost, path: str, *words: str) -> tuple[str, str, str]:
    """Status, body's beginning, and the header that says who answered."""
    url = f"http://127.0.0.1:{host.haproxy.port}{path}"
    command = ["curl", "-s", "-m", "20", "-H", "Host: foo.bar.com", "-w", "\n%{http_code}", "-D", "-", *words, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    *lines, status = [line for line in done.stdout.splitlines() if line] or [""]
    origin = next((line.split(": ")[1] for line in lines if line.lower().startswith("x-rancherctl-ingress: ")), "")
    return status, lines[-1][:60] if lines else "", origin.strip()


@pytest.fixture(params=["--http1.1", "--http2-prior-knowledge"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_headers_of_27_kb_pass_both_ways(lb_host: LoadBalancerHost, protocol: str) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert curl(lb_host, "/foo", protocol, "-H", f"Cookie: a={'x' * (27 * KB)}")[0] == "200"
    assert curl(lb_host, f"/foo?headers={27 * KB}", protocol)[0] == "200"


def test_larger_headers_are_refused_and_the_reason_is_reported(
    lb_host: LoadBalancerHost, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    # Over HTTP/2 HAProxy ends the connection instead.
    assert curl(lb_host, "/foo", protocol, "-H", f"Cookie: a={'x' * (40 * KB)}")[0] in {"400", "000"}
    status, body, origin = curl(lb_host, f"/foo?headers={40 * KB}", protocol)
    assert (status, origin) == ("502", "bad-response")
    assert body.startswith("502: the service sent no valid answer")
    lb_host.now += 10
    with caplog.at_level(logging.WARNING):
        section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert [(p[0], p[2]) for p in section["problems"]["default/a"]] == [("ResponseRefused", True)]
    assert "an answer of default/web:80 was replaced with 502" in section["problems"]["default/a"][0][1]
    assert "larger than 28 KB" in section["note"]
    logged = [r.getMessage() for r in caplog.records if r.name.endswith("refusal_watch")]
    assert [("127.0.0.1" in text, "larger than 28 KB" in text) for text in logged] == [(True, True)] * 2
    lb_host.now += 700
    section = lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert ("note" in section, section["problems"]) == (False, {}), "an old refusal is not reported for ever"


def test_a_read_timeout_is_a_note_with_the_annotation_that_sets_it(lb_host: LoadBalancerHost) -> None:
    short = fake.ingress("a", FOO, annotations={"ingress.rancherctl.io/timeout-read": "200ms"})
    lb_host.reconcile([short], {"web": ["w1"]})
    assert curl(lb_host, "/foo/slow")[::2] == ("504", "slow-response")
    lb_host.now += 10
    ((reason, message, serious),) = lb_host.reconcile([short], {"web": ["w1"]})["problems"]["default/a"]
    assert (reason, serious) == ("ReadTimeout", False)
    assert "default/web:80 sent nothing for 0.2 s" in message
    assert "ingress.rancherctl.io/timeout-read sets this limit" in message


def test_checks_tell_errors_of_the_load_balancer_from_those_of_the_service(lb_host: LoadBalancerHost) -> None:
    rules = [*FOO, ("slow.com", "Prefix", "/", "slow:80")]
    slow = fake.ingress(
        "b", [("slow.com", "Prefix", "/", "web:80")], annotations={"ingress.rancherctl.io/timeout-read": "200ms"}
    )
    lb_host.reconcile([fake.ingress("a", rules[:1]), slow], {"web": ["w1"]})
    found = {}
    for host, path in (
        ("foo.bar.com", f"/foo?headers={40 * KB}"),
        ("slow.com", "/slow"),
        *(("foo.bar.com", f"/foo?status={status}") for status in (500, 502, 503, 504)),
    ):
        check = http_check.HttpCheck("default/a", "127.0.0.1", host, path)
        result = http_check.run_check(check, lb_host.haproxy.port)
        found[path] = result.ok, result.status
    assert found == {
        f"/foo?headers={40 * KB}": (False, 502),
        "/slow": (False, 504),
        **{f"/foo?status={status}": (True, status) for status in (500, 502, 503, 504)},
    }


def test_a_service_cannot_pass_for_the_load_balancer(lb_host: LoadBalancerHost) -> None:
    lb_host.reconcile([fake.ingress("a", FOO)], {"web": ["w1"]})
    assert curl(lb_host, "/foo?origin=no-route")[::2] == ("200", "")


def test_the_text_of_another_release_is_replaced_by_one_reload_without_a_failed_request(
    lb_host: LoadBalancerHost,
) -> None:
    """HAProxy runs with what the last release wrote; its agent is replaced while clients send requests."""
    ingresses, services = [fake.ingress("a", FOO)], {"web": ["w1", "w2"]}
    lb_host.driver.text = "of another release"
    lb_host.reconcile(ingresses, services)
    with Clients(lb_host.haproxy) as clients:
        clients.wait_for(40)
        lb_host.new_role()
        lb_host.now += 1
        lb_host.role.reconcile(fake.Snapshot())  # also while the API cannot be reached
        assert lb_host.driver.counters.reloads == 1
        assert lb_host.role.store.current is not None
        assert lb_host.role.store.current.layout.text == text_digest(lb_host.haproxy.paths)
        clients.wait_for(40)
        lb_host.now += 10
        section = lb_host.reconcile(ingresses, services)
        clients.wait_for(40)
    assert clients.bad == []
    assert lb_host.driver.counters.reloads == 1
    assert (list(section["served"]), section["alarm"]) == (["default/a"], "")


def test_a_text_that_haproxy_rejects_leaves_the_last_one_running_and_following(
    lb_host: LoadBalancerHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rancherctl.ingress.haproxy import render
    from rancherctl.ingress.translate import endpoints

    ingresses = [fake.ingress("a", FOO)]
    lb_host.reconcile(ingresses, {"web": ["w1"]})
    config = Path(lb_host.haproxy.paths.config)
    accepted = config.read_text()
    monkeypatch.setattr(render, "_OWN_BACKENDS", "\nbackend no-route from base\n  nonsense\n")
    lb_host.new_role()
    for pod in ("w2", "w3"):
        section = lb_host.reconcile(ingresses, {"web": [pod]})
        assert lb_host.haproxy.answer("foo.bar.com", "/foo") == pod
        assert "unknown keyword 'nonsense'" in section["alarm"]
        assert (list(section["served"]), section["metrics"]["reloads"]) == (["default/a"], 0)
        lb_host.now += 10
    assert config.read_text() == accepted, "what HAProxy would start with"
    monkeypatch.undo()
    monkeypatch.setattr(endpoints, "routable", lambda address: True)
    lb_host.new_role()
    section = lb_host.reconcile(ingresses, {"web": ["w3"]})
    assert (section["alarm"], section["metrics"]["reloads"]) == ("", 0), "it has never run with the other text"
    assert lb_host.haproxy.answer("foo.bar.com", "/foo") == "w3"


def test_a_changed_text_has_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rancherctl.ingress.haproxy import render

    paths = render.Paths(data=str(tmp_path), run=str(tmp_path))
    first = text_digest(paths)
    assert text_digest(paths) == first
    assert text_digest(render.Paths(data=str(tmp_path), run=str(tmp_path), descriptors=5)) != first
    words = server_words
    monkeypatch.setattr(
        render, "server_words", lambda o, seconds: words(o, seconds) + (" sni str(x)" if o.protocol == "https" else "")
    )
    assert text_digest(paths) != first, "also if only the text of an option differs"

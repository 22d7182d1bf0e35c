"""``rancherctl ingress`` with an API over HTTP: output, changes, errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli import app
from rancherctl.ingress.model import HASH_SCHEME
from rancherctl.ingress.translate.rules import translate
from rancherctl.kube.objects import ingress
from rancherctl.placement.model import Roster, RosterHost
from rancherctl.placement.place import place
from tests.fakes.kube import FakeApi
from tests.fakes.signed_in import sign_in

INGRESSES = "/apis/networking.k8s.io/v1/ingresses"
CONFIGMAPS = "/api/v1/configmaps"
SYSTEM = "rancherctl-system"
ROSTER = Roster(
    1, 1, (RosterHost("h1", "127.0.0.1"), RosterHost("h2", "127.0.0.2"), RosterHost("h3", "127.0.0.3", alive=False))
)


def _object(name: str, namespace: str = "shop", **status: Any) -> dict[str, Any]:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {"scale": "2"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "ingressClassName": "rancher",
            "rules": [
                {"host": "foo.bar.com", "http": {"paths": [{"path": "/foo", "pathType": "Prefix", "backend": backend}]}}
            ],
        },
        "status": status,
    }


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    api = FakeApi()
    sign_in(tmp_path, monkeypatch, api.url)
    api.store.put(
        "/apis/networking.k8s.io/v1/ingressclasses",
        "",
        {"metadata": {"name": "rancher"}, "spec": {"controller": "rancherctl.io/ingress"}},
    )
    api.store.put(
        CONFIGMAPS, SYSTEM, {"metadata": {"name": "roster", "namespace": SYSTEM}, "data": {"roster": ROSTER.to_json()}}
    )
    stored = api.store.put(INGRESSES, "shop", _object("front", loadBalancer={"ingress": [{"ip": "127.0.0.1"}]}))
    view = ingress(stored if isinstance(stored, dict) else _object("front"))
    report = {"sections": {"lb": {"served": {"shop/front": translate(view).hash}, "hash_scheme": HASH_SCHEME}}}
    api.store.put(
        CONFIGMAPS,
        SYSTEM,
        {"metadata": {"name": "report-h1", "namespace": SYSTEM}, "data": {"report": json.dumps(report)}},
    )
    yield api
    api.close()


@pytest.fixture
def run(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def go(*words: str) -> tuple[int, str, str]:
        code = app.main(["ingress", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    return go


def test_ls_lists_addresses_and_placement(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("ls", "-o", "json")
    (item,) = json.loads(out)["items"]
    assert code == 0
    assert (item["namespace"], item["name"], item["addresses"], item["wanted"], item["placed"]) == (
        "shop",
        "front",
        ["127.0.0.1"],
        2,
        ["h1", "h2"],
    )
    assert "foo.bar.com" in run("ls")[1]
    assert json.loads(run("ls", "-n", "other", "-o", "json")[1])["items"] == []


def test_show_lists_rules_and_the_state_of_each_host(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("show", "front")
    assert code == 0
    assert "foo.bar.com/foo (prefix) → shop/web:80" in out
    assert "h1 127.0.0.1: placed, serving, published" in out
    assert "h2 127.0.0.2: placed, not serving yet, not published" in out


def test_show_names_the_port_that_another_program_uses(run: Callable[..., tuple[int, str, str]], api: FakeApi) -> None:
    report = {"sections": {"lb": {"served": {}, "ports": {"80": "port 80: Address already in use"}, "alarm": ""}}}
    api.store.put(
        CONFIGMAPS,
        SYSTEM,
        {"metadata": {"name": "report-h2", "namespace": SYSTEM}, "data": {"report": json.dumps(report)}},
    )
    assert (
        "h2 127.0.0.2: placed, not serving yet, not published, port 80: Address already in use"
        in run("show", "front")[1]
    )


def test_an_unknown_name_is_an_error_with_the_most_similar_name(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("show", "frnt")
    assert (code, out) == (3, "")
    assert 'did you mean "front"?' in err
    assert 'did you mean "shop/front"?' in run("show", "shop/frnt")[2]


def test_show_does_not_compare_hashes_of_another_release(
    run: Callable[..., tuple[int, str, str]], api: FakeApi
) -> None:
    report = {"sections": {"lb": {"served": {"shop/front": "0ld"}, "hash_scheme": HASH_SCHEME + 1}}}
    api.store.put(
        CONFIGMAPS,
        SYSTEM,
        {"metadata": {"name": "report-h2", "namespace": SYSTEM}, "data": {"report": json.dumps(report)}},
    )
    assert "h2 127.0.0.2: placed, serving (its agent runs another release" in run("show", "front")[1]
    instances = json.loads(run("show", "front", "-o", "json")[1])["instances"]
    assert [i["current"] for i in instances] == [True, None]


def test_scale_changes_the_annotation(run: Callable[..., tuple[int, str, str]], api: FakeApi) -> None:
    assert run("scale", "shop/front", "1")[0] == 0
    assert json.loads(run("ls", "-o", "json")[1])["items"][0]["wanted"] == 1
    code, _, err = run("scale", "front", "0")
    assert code == 2
    assert "invalid number of instances: 0" in err


def test_a_dry_run_shows_the_hosts_and_changes_nothing(run: Callable[..., tuple[int, str, str]]) -> None:
    before = run("ls", "-o", "json")[1]
    for number in (1, 2):
        code, out, _ = run("scale", "shop/front", str(number), "--dry-run", "-o", "json")
        assert (code, sum(row["chosen"] for row in json.loads(out)["items"])) == (0, number)
    assert run("ls", "-o", "json")[1] == before
    assert run("scale", "front", "0", "--dry-run")[0] == 2


def test_waiting_for_more_instances_than_hosts_ends_at_once(
    run: Callable[..., tuple[int, str, str]], api: FakeApi
) -> None:
    stored = _object("front")
    note = {
        "reason": "TooFewHosts",
        "message": "9 instances requested, 2 eligible hosts; placed on all of them",
        "wanted": 9,
    }
    stored["metadata"]["annotations"]["ingress.rancherctl.io/status"] = json.dumps(note)
    api.store.put(INGRESSES, "shop", stored)
    code, _, err = run("scale", "front", "9", "--wait", "--timeout", "120s")
    assert code == 1
    assert "2 eligible hosts" in err


def test_waiting_continues_while_a_host_that_is_not_alive_could_carry_it(
    run: Callable[..., tuple[int, str, str]], api: FakeApi
) -> None:
    stored = _object("front")
    note = {
        "reason": "TooFewHosts",
        "message": "3 instances requested, 2 eligible hosts; placed on all of them",
        "wanted": 3,
    }
    stored["metadata"]["annotations"]["ingress.rancherctl.io/status"] = json.dumps(note)
    api.store.put(INGRESSES, "shop", stored)
    code, _, err = run("scale", "front", "3", "--wait", "--timeout", "300ms")
    assert code == 124
    assert "2 eligible hosts" in err


def test_waiting_ends_at_the_timeout_with_the_last_state(run: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = run("scale", "front", "2", "--wait", "--timeout", "300ms")
    assert code == 124
    assert "1 of 2 addresses published" in err


def test_plan_explains_every_host(run: Callable[..., tuple[int, str, str]]) -> None:
    rows = json.loads(run("plan", "front", "--scale", "1", "-o", "json")[1])["items"]
    chosen = place(translate(ingress(_object("front"))).for_placement, ROSTER).hosts
    assert sorted(r["host"] for r in rows) == ["h1", "h2", "h3"]
    assert sum(r["chosen"] for r in rows) == 1
    assert [r["change"] for r in rows if r["host"] in chosen and not r["chosen"]] == ["remove"]
    assert next(r["why"] for r in rows if r["host"] == "h3") == "not alive"


def test_status_reports_what_hosts_cannot_serve_and_what_they_noticed(
    run: Callable[..., tuple[int, str, str]], api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rancherctl.ingress.operator import http_check

    monkeypatch.setattr(http_check, "run_check", lambda q, port, timeout: http_check.HttpResult(q, True, 200, "fine"))
    api.store.put(
        INGRESSES, "shop", _object("front", loadBalancer={"ingress": [{"ip": "127.0.0.1"}, {"ip": "127.0.0.2"}]})
    )
    assert run("status")[0] == 0
    problems = [["ResponseRefused", "an answer was refused", True], ["ReadTimeout", "cut", False]]
    section = {"served": {}, "problems": {"shop/front": problems}, "note": "requests were refused"}
    api.store.put(
        CONFIGMAPS,
        SYSTEM,
        {
            "metadata": {"name": "report-h1", "namespace": SYSTEM},
            "data": {"report": json.dumps({"sections": {"lb": section}})},
        },
    )
    code, out, err = run("status", "-o", "json")
    failed = [item for item in json.loads(out)["items"] if not item["ok"]]
    assert (code, [item["result"] for item in failed]) == (6, ["ResponseRefused: an answer was refused"])
    assert "note: h1: requests were refused" in err
    assert "h1 127.0.0.1: placed, not serving yet, published, requests were refused" in run("show", "front")[1]


def test_status_is_partial_if_an_address_does_not_answer(
    run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rancherctl.ingress.operator import http_check

    real = http_check.run_check
    monkeypatch.setattr(http_check, "run_check", lambda q, port, timeout: real(q, 1, timeout))
    code, out, err = run("status", "-o", "json")
    assert code == 6
    (lacking, silent) = json.loads(out)["items"]
    assert (lacking["ok"], lacking["address"], silent["ok"], silent["address"]) == (False, "", False, "127.0.0.1")
    assert "shop/front: 1 of 2 addresses published" in err
    assert "shop/front at 127.0.0.1" in err


def test_status_checks_published_addresses_and_reports_missing_ones(
    run: Callable[..., tuple[int, str, str]], api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rancherctl.ingress.operator import http_check

    monkeypatch.setattr(
        http_check,
        "run_check",
        lambda q, port, timeout: http_check.HttpResult(q, True, 200, "answered with status 200"),
    )
    api.store.put(
        INGRESSES, "shop", _object("front", loadBalancer={"ingress": [{"ip": "127.0.0.1"}, {"ip": "127.0.0.2"}]})
    )
    code, out, err = run("status", "-o", "json")
    assert (code, len(json.loads(out)["items"])) == (0, 2)
    many = _object("front", loadBalancer={"ingress": [{"ip": "127.0.0.1"}, {"ip": "127.0.0.2"}]})
    many["metadata"]["annotations"]["scale"] = "99"
    api.store.put(INGRESSES, "shop", many)
    assert run("status")[0] == 0, "all hosts that are alive have it"
    api.store.put(INGRESSES, "shop", _object("front"))
    code, _, err = run("status", "front")
    assert code == 6
    assert "0 of 2 addresses published: the controller has not reported why" in err


def test_an_ingress_of_another_class_is_neither_scaled_nor_planned_nor_checked(
    run: Callable[..., tuple[int, str, str]], api: FakeApi
) -> None:
    foreign = _object("front")
    foreign["spec"]["ingressClassName"] = "nginx"
    api.store.put(INGRESSES, "shop", foreign)
    for words in (("scale", "front", "3"), ("plan", "front"), ("status", "front")):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert "ingress class nginx" in err
    assert run("status")[0] == 0
    assert api.store.get(INGRESSES, "shop", "front")["metadata"]["annotations"] == {"scale": "2"}


def test_plan_without_an_unknown_host_is_an_error(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("plan", "front", "--without", "h9")
    assert (code, out) == (2, "")
    assert "unknown host: h9" in err
    assert "h1, h2, h3" in err


def test_waiting_ends_at_once_if_another_annotation_sets_the_number(
    run: Callable[..., tuple[int, str, str]], api: FakeApi
) -> None:
    everywhere = _object("front")
    everywhere["metadata"]["annotations"]["io.rancher.scheduler.global"] = "true"
    api.store.put(INGRESSES, "shop", everywhere)
    code, _, err = run("scale", "front", "1", "--wait", "--timeout", "120s")
    assert code == 1
    assert "requests all hosts" in err


def _kubeconfig(folder: Path, url: str) -> Path:
    """A kubeconfig file with context ``team`` whose credential plug-in leaves a file ``ran`` behind."""
    plugin = folder / "plug"
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
    plugin.write_text(f"#!/bin/sh\ntouch {folder}/ran\necho '{json.dumps(answer)}'\n")
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": answer["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}}
    content = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "team", "context": {"cluster": "c", "user": "u"}}],
    }
    file = folder / "given.yaml"
    file.write_text(json.dumps(content))
    file.chmod(0o600)
    return file


def test_a_plug_in_of_a_foreign_kubeconfig_runs_only_with_allow_exec(
    run: Callable[..., tuple[int, str, str]], api: FakeApi, tmp_path: Path
) -> None:
    file = _kubeconfig(tmp_path, api.url)
    code, out, err = run("ls", "--context", "team", "--kubeconfig", str(file))
    assert (code, out, (tmp_path / "ran").exists()) == (5, "", False)
    assert "--allow-exec" in err
    code, out, _ = run("ls", "--context", "team", "--kubeconfig", str(file), "--allow-exec", "-o", "json")
    assert (code, (tmp_path / "ran").exists()) == (0, True)
    assert [item["name"] for item in json.loads(out)["items"]] == ["front"]


def test_a_context_of_the_users_own_kubeconfig_needs_no_option(
    run: Callable[..., tuple[int, str, str]], api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(tmp_path, api.url)))
    assert run("show", "front", "--context", "team")[0] == 0
    assert "rancherctl ingress show shop/front --context team" in run("scale", "front", "1", "--context", "team")[2]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--context", "team", "--env", "demo"), 2, "--env cannot be combined with --context"),
        (("--allow-exec",), 2, "--allow-exec requires --context"),
        (("--context", "nope"), 3, "'nope' does not exist"),
        (("--context", "team", "--kubeconfig", "/nonexistent/file"), 3, "kubeconfig file /nonexistent/file not found"),
    ],
)
def test_contradicting_options_for_the_api_are_an_error(
    run: Callable[..., tuple[int, str, str]], words: tuple[str, ...], code: int, message: str
) -> None:
    found, _, err = run("ls", *words)
    assert found == code
    assert message in err

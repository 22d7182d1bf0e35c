"""What `dns explain` asks, and with which exit code it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import pytest

from rancherctl.cli.context import CommandRun
from rancherctl.cli.dns_explain import _asker, show
from rancherctl.cli.dns_hosts import _error
from rancherctl.dns import names
from rancherctl.dns.lookup import Answer
from rancherctl.dns.operator.api_objects import ApiObjects
from rancherctl.dns.operator.asked import Asker
from rancherctl.dns.operator.explanation import explain
from rancherctl.dns.operator.host_trace import HostTrace, Step
from rancherctl.dns.records import Shape
from rancherctl.dns.search import Resolver
from rancherctl.errors import ConflictError, NotFoundError, PartialError, RancherctlError, UnreachableError, UsageError
from rancherctl.settings import Terminals, load

NAME = "web.default.svc.cluster.local."
SHAPE = Shape("cluster.local", frozenset(names.all_zones("cluster.local", ("10.43.0.0/16",))))
FOUND = Answer("10.43.0.10", "NOERROR", ((NAME, 5, "A", "10.43.0.7"),))
MISSING = Answer("10.43.0.10", "NXDOMAIN")
EMPTY = Answer("10.43.0.10", "NOERROR")
SILENT = Answer("10.43.0.10", "", error="no answer within 3 s")
API = ApiObjects(namespaces=frozenset({"default"}))


def cli(output: str = "") -> CommandRun:
    flags = {"output": output} if output else {}
    return CommandRun(load(flags, {"HOME": "/nonexistent"}, Terminals(stdin=False, stdout=False, stderr=False)))


def look(
    answers: Mapping[str, Answer], failures: Mapping[str, str] | None = None, kind: str = "", output: str = ""
) -> None:
    traces = [
        HostTrace(host, Resolver(), ("10.43.0.10",), (Step(NAME, "A", "cluster.local.", "", None, (one,)),), (), {})
        for host, one in answers.items()
    ]
    show(cli(output), explain("web", Asker("default"), traces, API, SHAPE), kind, failures or {})


def test_a_name_that_resolves_on_all_hosts_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    look({"h1": FOUND, "h2": FOUND})
    assert capsys.readouterr().out.startswith("web: 10.43.0.7\n")


@pytest.mark.parametrize(
    ("answers", "failures", "error", "code"),
    [
        ({"h1": MISSING}, {}, NotFoundError, 3),
        ({"h1": EMPTY}, {}, NotFoundError, 3),
        ({"h1": Answer("10.43.0.10", "SERVFAIL")}, {}, RancherctlError, 1),
        ({"h1": SILENT}, {}, UnreachableError, 7),
        ({"h1": FOUND, "h2": FOUND, "h3": MISSING}, {}, ConflictError, 5),
        ({"h1": FOUND}, {"h2": "cannot connect"}, PartialError, 6),
        ({"h1": FOUND, "h2": SILENT}, {}, PartialError, 6),
    ],
)
def test_exit_codes_are_those_of_a_lookup(
    answers: Mapping[str, Answer],
    failures: Mapping[str, str],
    error: type[RancherctlError],
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(error) as caught:
        look(answers, failures)
    assert caught.value.exit_code == code
    assert "ASKED" in capsys.readouterr().out


def test_the_error_has_the_reason_and_the_remedy() -> None:
    with pytest.raises(NotFoundError) as caught:
        look({"h1": MISSING})
    error = caught.value
    assert (error.what, error.why) == ("web does not resolve", "namespace default has no Service web")
    assert error.hint == "it has no Services"


def test_a_type_that_the_name_does_not_have_is_accepted_if_it_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    look({"h1": EMPTY}, kind="A")
    assert capsys.readouterr().err == f"{NAME} has no A records\n"


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotFoundError):
        look({"h1": MISSING}, output="json")
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["resolved"], found["reasons"][0]["code"]) == ("DnsExplanation", False, "NoSuchService")
    assert found["asked"][0]["rcode"] == "NXDOMAIN"


POD = {
    "metadata": {"namespace": "shop", "name": "web-0", "uid": "u-1"},
    "spec": {"nodeName": "h2", "dnsPolicy": "None", "dnsConfig": {"nameservers": ["8.8.8.8"]}},
    "status": {"phase": "Running", "podIPs": [{"ip": "10.42.1.5"}]},
}


def ask_as(monkeypatch: pytest.MonkeyPatch, pod: Mapping[str, Any]) -> tuple[Asker, str | None, list[str]]:
    class Client:
        def get(self, _: object, name: str, *, namespace: str) -> Mapping[str, Any]:
            return pod

    monkeypatch.setattr("rancherctl.cli.api.api", lambda run, env: nullcontext(Client()))
    return _asker(cli(), None, "", "shop/web-0")


def test_a_pod_asks_on_its_host_from_its_network_with_its_resolv_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    asker, host, words = ask_as(monkeypatch, POD)
    assert asker == Asker("shop", "shop/web-0", "None", {"nameservers": ["8.8.8.8"]}, host_network=False)
    assert (host, words) == ("h2", ["--pod-address", "10.42.1.5", "--namespace", "shop", "--pod-uid", "u-1"])


def test_the_kubelet_knows_a_static_pod_by_another_uid(monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = {**POD, "metadata": {**POD["metadata"], "annotations": {"kubernetes.io/config.mirror": "abc"}}}  # type: ignore[dict-item]
    assert ask_as(monkeypatch, mirror)[2][-1] == "abc"


def test_without_a_pod_all_hosts_ask_as_a_pod_of_the_namespace() -> None:
    assert _asker(cli(), None, "", None) == (Asker("default"), None, ["--namespace", "default"])
    assert _asker(cli(), None, "shop", None)[2] == ["--namespace", "shop"]
    with pytest.raises(UsageError, match="--from-pod and --namespace"):
        _asker(cli(), None, "shop", "shop/web-0")


def test_an_agent_of_an_earlier_release_is_named_as_the_cause() -> None:
    said = "usage: agent.pyz …\nagent.pyz: error: argument command: invalid choice: 'dns-explain' (choose from …)\n"
    found = _error("h2", 2, said)
    assert found.what == "h2: its agent is older than this command line and does not know this command"
    assert found.hint.startswith("rancherctl env apply")

"""What `dns lookup` says of the answers of all hosts, and with which exit code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import pytest

from rancherctl.cli.context import CommandRun
from rancherctl.cli.dns_hosts import _answer, _error, pod_source, require_single_source, unreachable_error
from rancherctl.cli.dns_lookup import HostAnswers, show
from rancherctl.dns.lookup import Answer
from rancherctl.errors import ConflictError, NotFoundError, PartialError, RancherctlError, UnreachableError, UsageError
from rancherctl.hosts.fanout import HostOutcome
from rancherctl.settings import Terminals, load

NAME = "web.default.svc.cluster.local."
SILENT = Answer("10.43.0.10", "", error="no answer within 3 s")


def good(data: str = "10.43.0.7", rcode: str = "NOERROR") -> Answer:
    return Answer("10.43.0.10", rcode, ((NAME, 5, "A", data),) if rcode == "NOERROR" else ())


def look(
    answers: Mapping[str, Answer], failures: Mapping[str, str] | None = None, name: str = NAME, output: str = ""
) -> None:
    run = CommandRun(
        load(
            {"output": output} if output else {},
            {"HOME": "/nonexistent"},
            Terminals(stdin=False, stdout=False, stderr=False),
        )
    )
    show(
        run, HostAnswers(name, "A", {host: (answer,) for host, answer in answers.items()}, failures or {}), every=False
    )


def test_silent_servers_do_not_count_as_differing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PartialError) as caught:
        look({"h1": good(), "h3": SILENT}, {"h2": "h2: cannot connect"})
    assert caught.value.failures == {"h2": "h2: cannot connect", "h3": "10.43.0.10: no answer within 3 s"}
    assert caught.value.hint.startswith("rancherctl dns status")
    assert "no answer within 3 s" in capsys.readouterr().out


def test_a_server_with_another_answer_is_a_conflict_even_if_others_are_silent() -> None:
    with pytest.raises(ConflictError, match="1 server differs for") as caught:
        look({"h1": good(), "h2": good(), "h3": good("10.43.0.8"), "h4": SILENT})
    assert caught.value.why == "10.43.0.10 on h3"


def test_the_common_answer_is_shown_if_hosts_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PartialError):
        look({"h1": good()}, {"h2": "cannot connect"})
    assert capsys.readouterr().out == "10.43.0.7\n"
    with pytest.raises(PartialError):
        look({"h1": good(rcode="NXDOMAIN")}, {"h2": "cannot connect"})
    assert "NXDOMAIN" in capsys.readouterr().out


def test_a_name_without_records_of_the_type_prints_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    """`ADDRESS=$(rancherctl dns lookup …)` must be empty then, as with dig +short."""
    look({"h1": Answer("10.43.0.10", "NOERROR")})
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{NAME} has no A records\n")


def test_nxdomain_is_in_the_json_output(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotFoundError):
        look({"h1": good(rcode="NXDOMAIN")})
    assert capsys.readouterr().out == ""
    with pytest.raises(NotFoundError):
        look({"h1": good(rcode="NXDOMAIN")}, output="json")
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["rcode"], found["records"]) == ("DnsLookup", "NXDOMAIN", [])


@pytest.mark.parametrize(
    ("status", "stderr", "kind", "what"),
    [
        (2, "<3>cannot query a..b. A: empty label\n", UsageError, "h2: cannot query a..b. A: empty label"),
        (
            2,
            "/usr/bin/python3: can't open file 'agent.pyz'\n",
            RancherctlError,
            "h2: /usr/bin/python3: can't open file 'agent.pyz'",
        ),
        (7, "noise\n<3>the API does not answer\n", UnreachableError, "h2: the API does not answer"),
        (127, "", RancherctlError, "h2: exit status 127"),
    ],
)
def test_only_the_agents_own_errors_set_the_kind_of_failure(
    status: int, stderr: str, kind: type[RancherctlError], what: str
) -> None:
    found = _error("h2", status, stderr)
    assert (type(found), found.what) == (kind, what)
    assert bool(found.hint) == (kind is RancherctlError)


def test_an_answer_is_the_last_line() -> None:
    assert _answer("h1", b'Welcome!\n{"node": "h1"}\n') == {"node": "h1"}
    for odd in (b"", b"Welcome!\n"):
        with pytest.raises(RancherctlError, match="h1: unexpected answer"):
            _answer("h1", odd)


POD = {
    "metadata": {"namespace": "shop", "name": "web-0"},
    "spec": {"nodeName": "h2"},
    "status": {"phase": "Running", "podIPs": [{"ip": "10.42.1.5"}]},
}


def place(
    monkeypatch: pytest.MonkeyPatch, pod: str, found: Mapping[str, Any]
) -> tuple[tuple[str, list[str]], list[tuple[str, str]]]:
    asked = []

    class Client:
        def get(self, _: object, name: str, *, namespace: str) -> Mapping[str, Any]:
            asked.append((namespace, name))
            return found

    monkeypatch.setattr("rancherctl.cli.api.api", lambda run, env: nullcontext(Client()))
    run = CommandRun(load({}, {"HOME": "/nonexistent"}, Terminals(stdin=False, stdout=False, stderr=False)))
    return pod_source(run, None, pod), asked


def test_a_pod_query_runs_on_the_pods_host(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ("h2", ["--pod-address", "10.42.1.5", "--namespace", "shop"])
    assert place(monkeypatch, "shop/web-0", POD) == (wanted, [("shop", "web-0")])
    assert place(monkeypatch, "web-0", POD)[1] == [("default", "web-0")]


@pytest.mark.parametrize("status", [{"phase": "Succeeded", "podIPs": [{"ip": "10.42.1.5"}]}, {"phase": "Pending"}, {}])
def test_a_pod_without_network_is_refused(monkeypatch: pytest.MonkeyPatch, status: Mapping[str, Any]) -> None:
    with pytest.raises(RancherctlError, match="pod shop/web-0: it has no network") as caught:
        place(monkeypatch, "shop/web-0", {**POD, "status": status})
    assert caught.value.hint == "rancherctl kubectl -n shop get pod web-0"


def test_from_pod_excludes_other_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ({"from_host": "h1", "all_hosts": False}, {"from_host": None, "all_hosts": True}):
        with pytest.raises(UsageError, match="--from-pod and"):
            require_single_source(**given)
    require_single_source(from_host=None, all_hosts=False)
    with pytest.raises(UsageError, match="is not a valid pod"):
        place(monkeypatch, "shop/", POD)


@pytest.mark.parametrize(
    "said_there", ["/usr/bin/python3: can't open file", "<3>agent.json does not exist (this host is not set up)"]
)
def test_a_host_without_the_agent_counts_as_failed(said_there: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": NAME, "type": "A", "answers": [good().as_json()]}
    failure = _error("h2", 2, said_there)
    said = HostAnswers.of({"h1": HostOutcome("h1", value, None, 0.1), "h2": HostOutcome("h2", None, failure, 0.1)})
    run = CommandRun(load({}, {"HOME": "/nonexistent"}, Terminals(stdin=False, stdout=False, stderr=False)))
    with pytest.raises(PartialError):
        show(run, said, every=False)
    assert capsys.readouterr().out == "10.43.0.7\n"


def test_a_wrong_question_is_reported_before_unreachable_hosts() -> None:
    wrong, away = UsageError("h2: cannot query a..b. A"), UnreachableError("h1: cannot connect")
    with pytest.raises(UsageError):
        HostAnswers.of({"h1": HostOutcome("h1", None, away, 0.1), "h2": HostOutcome("h2", None, wrong, 0.1)})
    with pytest.raises(UnreachableError):
        HostAnswers.of({"h1": HostOutcome("h1", None, away, 0.1)})


def test_without_any_answer_all_reasons_are_shown() -> None:
    with pytest.raises(UnreachableError, match="no server answered") as caught:
        look({"h1": SILENT})
    assert "no answer within 3 s" in caught.value.why


@pytest.mark.parametrize(("rcode", "kind"), [("NXDOMAIN", NotFoundError), ("SERVFAIL", RancherctlError)])
def test_a_single_label_gets_a_hint_for_full_names(rcode: str, kind: type[RancherctlError]) -> None:
    with pytest.raises(kind) as caught:
        look({"h1": good(rcode=rcode)}, name="mongodb.")
    assert "mongodb.NAMESPACE.svc" in caught.value.hint


def test_no_reachable_host_is_an_error_not_a_partial_result() -> None:
    down: HostOutcome[object] = HostOutcome("h1", None, UnreachableError("h1: cannot connect"), 2.0)
    found = unreachable_error({"h1": down, "h2": HostOutcome("h2", None, UnreachableError("h2: no route"), 2.0)})
    assert found is not None
    assert (found.exit_code, found.why) == (7, "h1: cannot connect; h2: no route")
    assert unreachable_error({"h1": down, "h2": HostOutcome("h2", {}, None, 2.0)}) is None
    assert unreachable_error({"h1": down, "h2": HostOutcome("h2", None, RancherctlError("h2: no agent"), 2.0)}) is None

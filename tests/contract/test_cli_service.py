"""``rancherctl service`` with an API over HTTP: output, changes, errors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli import app
from rancherctl.contract import MOVING_KEY, NAMESPACE, REPORT_PREFIX, ROSTER_NAME, SERVICES_KEY
from rancherctl.services.model import HostPorts
from rancherctl.services.report import to_section
from rancherctl.services.translate import ServicePolicy, policy_to_json
from tests.fakes import services as fake
from tests.fakes.kube import FakeApi
from tests.fakes.signed_in import sign_in

SERVICES = "/api/v1/services"
CONFIGMAPS = "/api/v1/configmaps"
Run = Callable[..., tuple[int, str, str]]


def service(name: str, kind: str = "LoadBalancer", namespace: str = "shop") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "annotations": {"scale": "2"}},
        "spec": {"type": kind, "clusterIPs": ["10.43.0.9"], "ports": [{"protocol": "UDP", "port": 53}]},
        "status": {},
    }


def stored(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "data": data}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    api = FakeApi()
    sign_in(tmp_path, monkeypatch, api.url)
    roster, policy = fake.roster(2), policy_to_json(ServicePolicy())
    data = {ROSTER_NAME: roster.to_json(), SERVICES_KEY: policy, MOVING_KEY: '{"h1":["shop/dns"]}'}
    api.store.put(CONFIGMAPS, NAMESPACE, stored(ROSTER_NAME, **data))
    report = json.dumps({"sections": {"services": to_section(HostPorts())}})
    for host in ("h1", "h2"):
        api.store.put(CONFIGMAPS, NAMESPACE, stored(REPORT_PREFIX + host, report=report))
    api.store.put(SERVICES, "shop", service("dns"))
    api.store.put(SERVICES, "shop", service("web", "ClusterIP"))
    yield api
    api.close()


@pytest.fixture
def run(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> Run:
    def go(*words: str) -> tuple[int, str, str]:
        code = app.main(["service", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    return go


def scale_of(api: FakeApi) -> str:
    return str(api.store.get(SERVICES, "shop", "dns")["metadata"]["annotations"]["scale"])


def test_ls_lists_services_and_says_where_there_are_none(run: Run) -> None:
    code, out, _ = run("ls", "-o", "json")
    (item,) = json.loads(out)["items"]
    assert (code, item["namespace"], item["name"], item["wanted"], item["ports"]) == (0, "shop", "dns", 2, ["53/UDP"])
    assert run("ls", "-o", "name")[:2] == (0, "service/shop/dns\n")
    assert run("ls")[1].splitlines()[1].split() == ["shop", "dns", "53/UDP", "-", "0/2", "Pending"]
    code, out, err = run("ls", "-n", "shopp")
    assert (code, err) == (0, "no Services of type LoadBalancer found in the namespace shopp\n")
    code, out, err = run("ls", "-n", "shopp", "-o", "json")
    assert (code, json.loads(out)["items"], err) == (0, [], "")


@pytest.mark.parametrize("verb", [("show",), ("status",), ("plan",), ("scale", "2")])
@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("", 2, "error: invalid name: ''\n  why:  it is empty\n"),
        ("a/b/c", 2, "error: invalid name: 'a/b/c'\n"),
        ("svc/dns", 2, 'did you mean "dns"?'),
        ("web", 2, "error: Service shop/web has no addresses of hosts\n  why:  its type is ClusterIP"),
        ("dsn", 3, 'did you mean "dns"?'),
    ],
)
def test_wrong_names_are_explained_and_change_nothing(
    run: Run, api: FakeApi, verb: tuple[str, ...], name: str, code: int, text: str
) -> None:
    before = api.store.version
    found = run(verb[0], name, *verb[1:])
    assert (found[0], found[1]) == (code, "")
    assert text in found[2]
    assert api.store.version == before


def test_scale_says_what_it_did_in_every_form(run: Run, api: FakeApi) -> None:
    code, out, err = run("scale", "dns", "3")
    assert (code, out, scale_of(api)) == (0, "", "3")
    assert err.startswith("shop/dns: scale set to 3\nnote: 3 addresses requested, 2 eligible hosts")
    version = api.store.version
    code, out, err = run("scale", "dns", "3", "-o", "json")
    result = json.loads(out)
    assert (code, result["kind"], result["wanted"], result["changed"]) == (0, "ServiceScale", 3, False)
    assert result["notes"][0].startswith("3 addresses requested")
    assert (api.store.version, "the scale is 3 already" in err) == (version, True)
    assert run("scale", "dns", "1", "-o", "name")[:2] == (0, "servicescale/shop/dns\n")
    assert scale_of(api) == "1"


def test_a_dry_run_and_a_plan_change_nothing_and_refuse_the_same_numbers(run: Run, api: FakeApi) -> None:
    version = api.store.version
    assert "note: 3 addresses requested, 2 eligible hosts" in run("scale", "dns", "3", "--dry-run")[2]
    code, out, _ = run("scale", "dns", "1", "--dry-run", "-o", "json")
    planned = json.loads(out)["items"]
    assert (code, sum(row["chosen"] for row in planned)) == (0, 1)
    code, out, _ = run("plan", "dns", "--scale", "1", "-o", "json")
    assert (code, json.loads(out)["items"]) == (0, planned)
    for words in (("scale", "dns", "0"), ("scale", "dns", "10001"), ("plan", "dns", "--scale", "0")):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert err.startswith("error: invalid number of addresses: ")
        assert ("a Service of another spec.type has none" in err) == (words[-1] == "0")
    assert run("plan", "dns", "--without", "h9")[0] == 2
    assert api.store.version == version


def test_status_reports_what_is_not_published(run: Run) -> None:
    code, out, err = run("status", "-o", "json")
    (item,) = json.loads(out)["items"]
    assert (code, item["ok"]) == (1, False)
    assert item["result"].startswith("0 of 2 addresses published")
    assert "rancherctl service show SERVICE explains the placement" in err
    assert run("status", "-n", "other") == (0, run("status", "-n", "other")[1], EMPTY)


EMPTY = "no Services with addresses of hosts found in the namespace other\n"


@pytest.mark.parametrize("verb", ["ls", "show", "scale", "status", "plan"])
def test_help_has_examples(run: Run, verb: str) -> None:
    code, out, _ = run(verb, "--help")
    assert code == 0
    assert f"rancherctl service {verb}" in out.partition("Examples:")[2]

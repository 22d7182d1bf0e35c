"""A federation that is removed, and a member that was removed while it was off: commands on real API servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl import visits
from rancherctl.cli import app
from rancherctl.contract import FEDERATION_CONTROLLER, FEDERATION_LABEL, FEDERATION_UID_ANNOTATION
from rancherctl.dns.model import RecordSet
from rancherctl.environments.removal.remove import Removed
from rancherctl.environments.status import federation_visits
from rancherctl.federation.cluster import CLUSTERS
from rancherctl.federation.hub import Hub
from rancherctl.federation.operator import leave, overview
from rancherctl.federation.placement import SELECTOR
from rancherctl.kube.client import CONFIGMAPS, NAMESPACES, SECRETS, SERVICES
from tests.fakes.env_operations import removing
from tests.fakes.federation_sites import OWN, Sites, exists, running_sites, until

Call = Callable[..., tuple[int, str]]
OWN_ADDRESS = {"m1": "203.0.113.1", "m2": "203.0.113.2"}
WEB = "web.default.acme.svc.acme.example"
ALL = "203.0.113.0/24"


@pytest.fixture(scope="module")
def servers() -> Iterator[Sites]:
    with running_sites() as found:
        yield found


@pytest.fixture
def sites(servers: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sites]:
    servers.sign_in(tmp_path, monkeypatch)
    yield servers
    for name in OWN_ADDRESS:
        servers.end_namespace(name)
    monkeypatch.setattr("rancherctl.cli.context.state.log", None)


@pytest.fixture
def process(sites: Sites) -> Iterator[Hub]:
    with sites.process() as hub:
        yield hub


@pytest.fixture
def call(sites: Sites, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = app.main(words)
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return run


def joined(sites: Sites, call: Call, *names: str) -> None:
    for name in names:
        code, text = call("federation", "join", "acme", "--env", name, "--address", ALL, "--timeout", "60s")
        assert code == 0, text


def published(sites: Sites, *members: str) -> None:
    """The Service ``web`` is in these members, with an address of each, and under its public names."""
    sites.service("web")
    for member in members:
        sites.addresses(member, "web", OWN_ADDRESS[member])
    wanted = " ".join(OWN_ADDRESS[member] for member in members)
    until("published", lambda: f"{WEB} A {wanted}" in sites.zone())


def select(sites: Sites, selector: str | None) -> None:
    note = {"metadata": {"annotations": {SELECTOR: selector}}}
    sites.hub.patch(SERVICES, "web", note, namespace="default")


def reported(sites: Sites, member: str) -> bool:
    """The report on the zone and the Service's status have the member's address."""
    report = sites.hub.get(CONFIGMAPS, "dns-state", namespace=FEDERATION_CONTROLLER)
    address = OWN_ADDRESS[member]
    return address in str(report) and address in overview.read(sites.hub).addresses(member)


def marks(sites: Sites, member: str) -> list[str]:
    """What is left of the federation in a member."""
    client, label = sites.clients[member], f"{FEDERATION_LABEL}=acme"
    found = [s["metadata"]["name"] for s in client.list(SERVICES, label_selector=label).items]
    found += [n["metadata"]["name"] for n in client.list(NAMESPACES, label_selector=label).items]
    found += [p["metadata"]["name"] for p in client.list(leave.POLICIES).items]
    return found + [OWN] * (exists(client, NAMESPACES, OWN) and not leave._ending(client, OWN))


def cleared(sites: Sites) -> None:
    """Take away what a test has left in the members."""
    for member in OWN_ADDRESS:
        if exists(sites.clients[member], SERVICES, "web", "default"):
            sites.clients[member].delete(SERVICES, "web", namespace="default")
    if exists(sites.hub, SERVICES, "web", "default"):
        sites.hub.delete(SERVICES, "web", namespace="default")
        until("gone", lambda: not exists(sites.hub, SERVICES, "web", "default"))


@pytest.mark.parametrize("services", ["delete", "keep"])
def test_a_federation_is_removed_with_its_names_and_its_members_copies_by_rule(
    sites: Sites, process: Hub, call: Call, monkeypatch: pytest.MonkeyPatch, services: str
) -> None:
    """Case 57: k/k#29335, kubernetes/website#3044: thousands of records stayed when Federation v1 was removed.

    No record and no marker is left in the zone, not even the zone's own; what others have there is untouched.
    """
    mail = RecordSet("mail.acme.example.", "A", ("192.0.2.25",), 60)
    sites.zones.sets["acme.example."][mail.name, "A"] = mail
    joined(sites, call, "m1", "m2")
    published(sites, "m1", "m2")
    assert any(line.startswith("_rancherctl-acme.acme.example TXT") for line in sites.zone())
    removing(monkeypatch, Removed("acme", {"h1": ("x",)}))
    refused, text = call("env", "rm", "acme", "--confirm", "acme")
    assert (refused, "has members: m1, m2" in text, f"{WEB} A" in "\n".join(sites.zone())) == (5, True, True)
    code, text = call("env", "rm", "acme", "--confirm", "acme", "--services", services)
    assert code == 0, text
    assert "m1 has left acme" in text
    assert "m2 has left acme" in text
    assert "acme removed from this machine's environments" in text
    assert sites.zone() == ["mail.acme.example A 192.0.2.25"]
    del sites.zones.sets["acme.example."][mail.name, "A"]
    assert sites.hub.list(CLUSTERS).items == ()
    for member in OWN_ADDRESS:
        assert marks(sites, member) == []
        assert exists(sites.clients[member], SERVICES, "web", "default") == (services == "keep")
    if services == "keep":
        kept = sites.clients["m1"].get(SERVICES, "web", namespace="default")
        assert kept["status"]["loadBalancer"]["ingress"][0]["ip"] == OWN_ADDRESS["m1"]
        assert FEDERATION_UID_ANNOTATION not in (kept["metadata"].get("annotations") or {})
    cleared(sites)


def test_a_service_that_selects_no_member_any_more_loses_copy_and_names(sites: Sites, process: Hub, call: Call) -> None:
    """Case 13: what is not deployed anywhere is not published; it is published again when it selects a member."""
    joined(sites, call, "m1")
    published(sites, "m1")
    select(sites, "env=nowhere")
    until("without a copy", lambda: not exists(sites.clients["m1"], SERVICES, "web", "default"))
    until("without names", lambda: WEB not in str(sites.zone()))
    select(sites, None)
    sites.addresses("m1", "web", OWN_ADDRESS["m1"])
    until("published again", lambda: f"{WEB} A {OWN_ADDRESS['m1']}" in sites.zone())
    assert call("federation", "leave", "m1", "--services", "delete")[0] == 0
    cleared(sites)


def test_a_federation_is_not_removed_while_a_member_is_away(
    sites: Sites, process: Hub, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 57: none begins to leave; once the lost one has left by force, the others and the names go."""
    joined(sites, call, "m1", "m2")
    published(sites, "m1", "m2")
    removing(monkeypatch, Removed("acme", {"h1": ("x",)}))
    sites.servers["m2"].stop("apiserver", kill=True)
    try:
        code, text = call("env", "rm", "acme", "--confirm", "acme", "--services", "delete")
        assert (code, "m2: " in text, "nothing was changed" in text) == (7, True, True), text
        assert "rancherctl federation leave MEMBER --services delete --force" in text
        assert exists(sites.clients["m1"], SERVICES, "web", "default")
        assert not sites.hub.get(CLUSTERS, "m1")["metadata"].get("deletionTimestamp")
        code, text = call("federation", "leave", "m2", "--services", "delete", "--force")
        assert code == 0, text
        code, text = call("env", "rm", "acme", "--confirm", "acme", "--services", "delete")
        assert code == 0, text
        assert sites.zone() == []
        assert not exists(sites.clients["m1"], SERVICES, "web", "default")
    finally:
        sites.servers["m2"].start("apiserver")
        sites.servers["m2"].wait_ready()
    assert exists(sites.clients["m2"], SERVICES, "web", "default")
    leave.clear_copies(sites.hub, sites.clients["m2"], "acme", "delete")
    leave.clear(sites.hub, sites.clients["m2"], "acme")
    cleared(sites)


def test_names_that_cannot_be_removed_keep_the_federation(
    sites: Sites, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the federation's process, the names that it has reported stay: it says so, and --force goes on."""
    with sites.process():
        joined(sites, call, "m1")
        published(sites, "m1")
        until("reported", lambda: reported(sites, "m1"))
    monkeypatch.setattr("rancherctl.federation.operator.leave.withdraw.__kwdefaults__", {"timeout": 0.2})
    code, text = call("federation", "leave", "m1", "--services", "delete", "--force")
    assert (code, f"the public names {WEB}, which still lead to it" in text) == (0, True), text
    removing(monkeypatch, Removed("acme", {"h1": ("x",)}))
    monkeypatch.setattr("rancherctl.federation.operator.dns.release.__kwdefaults__", {"timeout": 0.2})
    code, text = call("env", "rm", "acme", "--confirm", "acme")
    assert code == 5, text
    assert "the public names of acme are not removed" in text
    assert "--force removes acme anyway" in text
    with sites.process():
        monkeypatch.setattr("rancherctl.federation.operator.dns.release.__kwdefaults__", {"timeout": 60.0})
        code, text = call("env", "rm", "acme", "--confirm", "acme")
        assert (code, sites.zone()) == (0, []), text
        leave.clear_copies(sites.hub, sites.clients["m1"], "acme", "delete")
        leave.clear(sites.hub, sites.clients["m1"], "acme")
        cleared(sites)


@pytest.mark.parametrize("services", ["delete", "keep"])
def test_a_member_that_was_lost_says_so_when_it_returns_and_can_be_cleaned(
    sites: Sites, process: Hub, call: Call, services: str
) -> None:
    """Case 38, karmada#3740 #4431: nothing is written there any more; its own status says since when."""
    joined(sites, call, "m1", "m2")
    published(sites, "m1", "m2")
    m2 = sites.clients["m2"]
    until("noted", lambda: federation_visits(m2).get("acme"))
    until("reported", lambda: reported(sites, "m2"))
    sites.servers["m2"].stop("apiserver", kill=True)
    try:
        code, text = call("federation", "leave", "m2", "--services", services, "--force")
        assert code == 0, text
        assert "what stays there" in text
        assert f"its addresses {ALL}, which no name leads to any more" in text
        assert f"{WEB} A {OWN_ADDRESS['m1']}" in sites.zone()
        assert not exists(sites.hub, CLUSTERS, "m2"), "its process has not put the finalizer back"
    finally:
        sites.servers["m2"].start("apiserver")
        sites.servers["m2"].wait_ready()
    old = {visits.KEY: visits.text(0.0)}
    m2.patch(CONFIGMAPS, visits.NOTE, {"data": old}, namespace=OWN)
    before = versions(sites, "m2")
    sites.hub.patch(SERVICES, "web", {"spec": {"ports": [{"port": 81}]}}, namespace="default")
    changed = lambda: sites.clients["m1"].get(SERVICES, "web", namespace="default")["spec"]["ports"][0]["port"] == 81
    until("changed in m1", changed)
    assert versions(sites, "m2") == before
    note = federation_visits(m2)["acme"]
    line = visits.stale("m2", "acme", note, visits.STALE_SECONDS)
    assert line.startswith("the federation acme was last here at 1970-01-01T00:00:00Z; if it no longer knows m2")
    words = line.partition("rancherctl ")[2].split()
    assert words == ["federation", "leave", "m2", "--services", "keep", "--federation", "acme"]
    code, text = call("federation", "leave", "m2", "--services", services)
    assert code == 0, text
    assert "NO:" not in text
    assert marks(sites, "m2") == []
    assert exists(m2, SERVICES, "web", "default") == (services == "keep")
    assert call("federation", "leave", "m2", "--services", services)[0] == 3
    assert call("federation", "leave", "m1", "--services", "delete")[0] == 0
    cleared(sites)


def versions(sites: Sites, member: str) -> dict[str, Any]:
    """Versions of everything in a member that a federation could write."""
    client = sites.clients[member]
    found = [*client.list(SERVICES).items, *client.list(NAMESPACES).items]
    found += [*client.list(CONFIGMAPS, namespace=OWN).items, *client.list(SECRETS, namespace=OWN).items]
    return {str(o["metadata"]["uid"]): o["metadata"]["resourceVersion"] for o in found}

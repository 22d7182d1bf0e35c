"""Draining a host: what would be stranded, when it is done, and what cordoned hosts carry."""

from __future__ import annotations

from dataclasses import replace

from rancherctl.agents.roster import host_of
from rancherctl.contract import DRAIN_ANNOTATION
from rancherctl.ingress.operator.api_view import ApiView
from rancherctl.ingress.status.report import HostReport
from rancherctl.kube import objects
from rancherctl.placement.model import Placeable, PlacementOptions, Roster
from rancherctl.placement.place import place
from rancherctl.services.model import HostPorts
from rancherctl.services.operator.api_view import ServicesView
from rancherctl.services.operator.host_drain import View, progress, stranded
from rancherctl.services.translate import ServicePolicy, wanted_services
from tests.fakes import ingress as ingress_fake
from tests.fakes import services as fake


def view(
    roster: Roster, services: list[objects.Service], ingresses: list[objects.Ingress], **reports: HostReport
) -> View:
    by_key = {s.meta.key: s for s in services}
    wanted = wanted_services(by_key, {}, roster, ServicePolicy())
    return View(
        ApiView({i.meta.key: i for i in ingresses}, {"rancher": ingress_fake.RANCHER}, roster, reports),
        ServicesView(by_key, wanted, roster, fake.reports(roster), ServicePolicy()),
    )


def _rules(name: str, *status: str) -> objects.Ingress:
    return ingress_fake.ingress(name, [(f"{name}.example", "Prefix", "/", "web:80")], status=status)


def test_what_has_no_other_host_is_named() -> None:
    roster = fake.roster(2)
    labelled = Roster(1, 1, (roster.hosts[0], replace(roster.hosts[1], labels={"zone": "b"})))
    only = ingress_fake.ingress(
        "only",
        [("only.example", "Prefix", "/", "web:80")],
        annotations={"io.rancher.scheduler.affinity.host_label": "zone=b"},
        status=["10.0.0.2"],
    )
    service = fake.service("db", loadBalancerIP="10.0.0.2", status=fake.published("10.0.0.2"))
    free = fake.service("free", ("tcp", 1), status=fake.published("10.0.0.2"))
    found = stranded(view(labelled, [service, free], [only, _rules("a", "10.0.0.1")]), "h2")
    assert [line.partition(":")[0] for line in found] == ["Ingress default/only", "Service default/db"]
    assert "loadBalancerIP asks for 10.0.0.2" in found[1]


def test_it_is_done_when_nothing_is_left() -> None:
    hosts = fake.roster(2).hosts
    roster = Roster(1, 1, (replace(hosts[0], excluded=True, draining=60), hosts[1]))
    published = view(roster, [fake.service("a", status=fake.published("10.0.0.1"))], [_rules("b", "10.0.0.1")])
    left = progress(published, "h1")
    assert left.published == ("Ingress default/b", "Service default/a")
    assert "10.0.0.1 is still in the status of Ingress default/b, Service default/a" in left.text(roster.hosts[0])
    serving = progress(view(roster, [], [], h1=HostReport(served={"default/b": "x"})), "h1")
    assert "older DNS answers for 60 s" in serving.text(roster.hosts[0])
    closing = progress(view(roster, [], [], h1=HostReport(finishing=2)), "h1")
    assert "2 HAProxy processes" in closing.text(roster.hosts[0])
    services = view(roster, [fake.service("a")], [])
    services.services.reports["h1"] = HostPorts(draining={"default/a": "x"})  # type: ignore[index]
    older = progress(services, "h1")
    assert "older DNS answers for 60 s" in older.text(roster.hosts[0])
    assert not any(p.done for p in (left, serving, closing, older))
    assert progress(view(roster, [], []), "h1").done
    assert not progress(view(fake.roster(2), [], []), "h1").done, "the controller has not seen the mark"


def test_a_dead_host_serves_nothing_whatever_it_reported_last() -> None:
    hosts = fake.roster(1).hosts
    roster = Roster(1, 1, (replace(hosts[0], excluded=True, draining=60, alive=False),))
    assert progress(view(roster, [], [], h1=HostReport(served={"default/b": "x"}, finishing=1)), "h1").done


def _node(**annotations: str) -> objects.Node:
    return objects.node(
        {
            "metadata": {"name": "h1", "labels": {}, "annotations": annotations},
            "spec": {"unschedulable": True},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]},
        }
    )


def test_the_mark_of_a_node_becomes_part_of_the_roster() -> None:
    seconds = [host_of(_node(**{DRAIN_ANNOTATION: t}), alive=True) for t in ("60", "", "soon", "0", "99999999")]
    assert [h.draining for h in seconds] == [60, 1, 1, 1, 86_400]
    assert all(h.excluded for h in seconds)
    host = host_of(_node(), alive=True)
    assert (host.draining, host.excluded, host.cordoned) == (0, False, True)
    roster = Roster(1, 2, (seconds[0],))
    assert Roster.from_json(roster.to_json()) == roster


def test_a_cordoned_host_carries_only_what_no_other_can() -> None:
    """Case 83."""
    roster = fake.roster(3)
    cordoned = Roster(1, 1, tuple(replace(h, cordoned=h.name == "h1") for h in roster.hosts))
    for name in "abcdefgh":
        assert "h1" not in place(Placeable(name, PlacementOptions(2)), cordoned).hosts
        assert "h1" in place(Placeable(name, PlacementOptions(3)), cordoned).hosts
    assert place(Placeable("all", PlacementOptions(0)), cordoned).hosts == ("h2", "h3")
    alone = Roster(1, 1, cordoned.hosts[:1])
    assert place(Placeable("all", PlacementOptions(0)), alone).hosts == ("h1",)

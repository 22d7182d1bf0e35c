"""HostObjectsController: a Lease and a report for every Node, deleted with it, not with all at once."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.controllers import NAMES, SimulatedCluster


def test_every_node_gets_a_lease_and_a_report_and_loses_them_when_it_is_deleted() -> None:
    cluster = SimulatedCluster()
    cluster.renewed.clear()
    cluster.host_objects.reconcile(cluster.snapshot())
    assert {f"create configmaps/report-{n}" for n in NAMES} | {f"create leases/host-{n}" for n in NAMES} == set(
        cluster.api.writes
    )
    cluster.renewed = dict.fromkeys(NAMES, 0)
    cluster.api.writes.clear()
    cluster.host_objects.reconcile(cluster.snapshot(NAMES[:3]))
    assert cluster.api.writes == ["delete leases/host-h4", "delete configmaps/report-h4"]


def test_an_object_whose_deletion_is_in_progress_is_not_deleted_again() -> None:
    cluster = SimulatedCluster()
    cluster.host_objects.reconcile(cluster.snapshot())
    cluster.renewed = dict.fromkeys(NAMES, 0)
    cluster.api.writes.clear()
    held = cluster.snapshot(NAMES[:3])
    for table in ("leases", "configmaps"):
        items = held.table(table).items
        for key in [k for k in items if k.endswith("-h4")]:
            items[key] = replace(items[key], meta=replace(items[key].meta, deleting=True))  # type: ignore[index]
    cluster.host_objects.reconcile(held)
    assert cluster.api.writes == []


def test_an_api_that_lost_its_nodes_costs_no_report() -> None:
    cluster = SimulatedCluster()
    cluster.host_objects.reconcile(cluster.snapshot())
    cluster.api.writes.clear()
    cluster.host_objects.reconcile(cluster.snapshot(()))
    assert cluster.api.writes == []

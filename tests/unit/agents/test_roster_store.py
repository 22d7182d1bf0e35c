"""The roster's ConfigMap has one writer: while the watch is late, no write is refused because of an earlier one."""

from __future__ import annotations

import random

import pytest

from rancherctl.agents.roster_store import RosterStore
from rancherctl.contract import EXCLUDE_LABEL, MOVING_KEY, NAMESPACE, ROSTER_KEY, ROSTER_NAME
from rancherctl.errors import ConflictError, NotFoundError
from rancherctl.kube import client
from rancherctl.kube.objects import ConfigMap, config_map
from rancherctl.kube.snapshot import Table
from tests.fakes.kube_store import Store
from tests.fakes.late_watch import HOSTS, LateCluster, StoreClient

PATH = client.CONFIGMAPS.path()
ROSTER = f"configmaps/{ROSTER_NAME}"


class Stored:
    """A store, what writes it, and tables as a watch delivers them."""

    def __init__(self) -> None:
        self.api = Store()
        self.client = StoreClient(self.api)
        self.roster = RosterStore(self.client)  # type: ignore[arg-type]

    def table(self, epoch: int = 1) -> Table[ConfigMap]:
        """Everything that is stored now."""
        found = self.api.objects.get((PATH, NAMESPACE, ROSTER_NAME))
        items = {ROSTER_KEY: config_map(found)} if found else {}
        return Table(items, synced=True, healthy=True, resource_version=str(self.api.version), epoch=epoch)

    def data(self) -> dict[str, str]:
        return dict(self.api.get(PATH, NAMESPACE, ROSTER_NAME)["data"])

    def change(self, **data: str) -> None:
        """Another process writes."""
        body = {"metadata": {"name": ROSTER_NAME}, "data": data}
        self.api.update(PATH, NAMESPACE, ROSTER_NAME, body)


def test_an_answer_counts_until_the_watch_has_it() -> None:
    stored = Stored()
    before = stored.table()
    for text in ("created", "replaced", "replaced again"):
        stored.roster.write({"a": text}, before)
        known = stored.roster.current(before)
        assert known is not None
        assert known.data == stored.data() == {"a": text}
    stored.change(a="by another process")
    assert stored.roster.current(stored.table()) == stored.table().items[ROSTER_KEY]
    stored.roster.write({"a": "on top of it"}, stored.table())
    assert stored.data() == {"a": "on top of it"}
    assert stored.client.conflicts == []


def test_a_roster_that_is_deleted_right_after_a_write_is_missed() -> None:
    stored = Stored()
    before = stored.table()
    stored.roster.write({"a": "1"}, before)
    stored.api.delete(PATH, NAMESPACE, ROSTER_NAME)
    with pytest.raises(NotFoundError):
        stored.roster.write({"a": "2"}, before)
    assert stored.roster.current(before) is None
    stored.roster.write({"a": "2"}, before)
    stored.api.delete(PATH, NAMESPACE, ROSTER_NAME)
    assert stored.roster.current(stored.table()) is None
    stored.roster.write({"a": "3"}, stored.table())
    assert stored.data() == {"a": "3"}


def test_a_write_of_another_process_is_not_overwritten() -> None:
    stored = Stored()
    before = stored.table()
    stored.roster.write({"a": "1"}, before)
    stored.change(a="by another process")
    with pytest.raises(ConflictError):
        stored.roster.write({"a": "2"}, before)
    assert stored.data() == {"a": "by another process"}
    stored.roster.write({"a": "2"}, stored.table())
    assert stored.data() == {"a": "2"}


def test_a_new_list_counts_although_it_is_older() -> None:
    """The API was restored."""
    stored = Stored()
    old = stored.table()
    stored.roster.write({"a": "1"}, old)
    assert stored.roster.current(old) is not None
    assert stored.roster.current(Table({}, synced=True, healthy=True, resource_version="7", epoch=2)) is None


@pytest.mark.parametrize("seed", range(12))
def test_no_write_of_the_roster_is_refused_while_everything_changes(seed: int) -> None:
    cluster, choose = LateCluster(), random.Random(seed)
    for _ in range(200):
        cluster.change(choose)
        cluster.cache.deliver(choose)
        cluster.step(choose.choice((0.01, 0.1, 0.4)))
    assert ROSTER not in cluster.client.conflicts
    for key in (ROSTER_NAME, MOVING_KEY):
        assert len({data.get(key) for data in cluster.versions()}) > 10, "otherwise the test shows nothing"
    cluster.settle()
    assert ROSTER not in cluster.client.conflicts
    assert cluster.stored().get(MOVING_KEY, "") == cluster.services.moving
    labels = {name: cluster.store.get(client.NODES.path(), "", name)["metadata"]["labels"] for name in HOSTS}
    assert {host.name: host.excluded for host in cluster.roster().hosts} == {
        name: EXCLUDE_LABEL in found for name, found in labels.items()
    }


def test_what_another_process_writes_meanwhile_costs_one_refusal() -> None:
    cluster = LateCluster()
    cluster.settle(10)
    cluster.exclude("h1", excluded=True)
    cluster.cache.deliver()
    other = cluster.store.get(PATH, NAMESPACE, ROSTER_NAME)
    data = other["data"] | {"alarms": "of another process"}
    cluster.store.update(PATH, NAMESPACE, ROSTER_NAME, other | {"data": data})
    cluster.step(0.1)
    assert cluster.client.conflicts.count(ROSTER) == 1
    assert cluster.stored() == data
    cluster.settle(10)
    assert cluster.client.conflicts.count(ROSTER) == 1
    assert "alarms" not in cluster.stored()
    assert [host.name for host in cluster.roster().hosts if host.excluded] == ["h1"]


def test_hosts_keep_the_rules_that_they_are_asked_for_when_another_leader_is_elected() -> None:
    """The new leader writes the roster before it has decided about Services."""
    cluster = LateCluster()
    cluster.settle(10)
    cluster.want("s1", 1)
    cluster.cache.deliver()
    cluster.step(0.1)
    asked = cluster.stored()[MOVING_KEY]
    written, epoch = len(cluster.versions()), cluster.roster().epoch
    cluster.elect()
    cluster.step(0.1)
    assert cluster.roster().epoch == epoch + 1
    assert {data.get(MOVING_KEY) for data in cluster.versions()[written:]} == {asked}
    assert ROSTER not in cluster.client.conflicts

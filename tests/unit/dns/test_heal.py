"""Healing: what is left behind when a step of it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.dns.heal import Healer
from rancherctl.dns.model import RecordSet
from rancherctl.dns.store import Store
from rancherctl.dns.zone_state import ZoneState
from rancherctl.errors import RancherctlError

ONE = RecordSet("a.cluster.local.", "A", ("10.43.0.1",))


class Failing:
    """A daemon of which one call fails."""

    def __init__(self, what: str) -> None:
        self._what = what

    def _call(self, what: str) -> None:
        if what == self._what:
            raise RancherctlError(f"{what} did not end within 20 s")

    def reload(self) -> None:
        self._call("reload")

    def stop(self) -> None:
        self._call("stop")

    def start(self) -> None:
        self._call("start")


@pytest.mark.parametrize("what", ["stop", "start"])
def test_a_failed_stop_leaves_no_temporary_files(tmp_path: Path, what: str) -> None:
    now = [0.0]
    state = ZoneState("cluster.local.")
    state.set_actual({ONE.key: ONE})
    healer = Healer("cluster.local", Store(str(tmp_path)), Failing(what), clock=lambda: now[0], wall=lambda: 1.0)
    for _ in range(5):
        with pytest.raises(RancherctlError):
            healer.rewrite(state)
        now[0] += 60.0
    assert {p.name for p in tmp_path.iterdir()} <= {"cluster.local.zone"}


def test_a_reload_that_fails_leaves_the_zone_in_place(tmp_path: Path) -> None:
    state = ZoneState("cluster.local.")
    state.set_wanted(ONE.key, ONE)
    healer = Healer("cluster.local", Store(str(tmp_path)), Failing("reload"), clock=lambda: 0.0, wall=lambda: 1.0)
    with pytest.raises(RancherctlError):
        healer.heal([state], synced=True)
    assert [p.name for p in tmp_path.iterdir()] == ["cluster.local.zone"]


def test_temporary_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    for name in (".new-abc", ".new-def", "cluster.local.zone", "cluster.local.zone.jnl"):
        (tmp_path / name).write_text("x")
    Store(str(tmp_path)).tidy()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cluster.local.zone", "cluster.local.zone.jnl"]
    Store(str(tmp_path / "not there yet")).tidy()

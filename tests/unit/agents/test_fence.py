"""Fenced: no write leaves a process that does not lead."""

from __future__ import annotations

import pytest

from rancherctl.agents.fence import Fenced
from rancherctl.agents.leader import NotLeaderError
from rancherctl.kube import objects
from tests.fakes.controllers import SimulatedCluster


def test_a_write_without_leadership_is_not_sent() -> None:
    cluster = SimulatedCluster()
    cluster.leadership.leading = False
    with pytest.raises(NotLeaderError):
        Fenced(cluster.api, cluster.leadership.check).create(objects, {"metadata": {"name": "x"}})  # type: ignore[arg-type]
    assert cluster.api.writes == []

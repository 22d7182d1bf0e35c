"""Connections between hosts that preflight checks."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.environments import paths_between
from rancherctl.environments.context import Context
from rancherctl.hosts.transport import Transport
from tests.fakes.preflight_hosts import CONTROL_PLANE, ENV, WORKER, ConnectingHost


def test_hosts_must_reach_the_api_and_each_others_kubelets() -> None:
    both = {"h1", "h2"}
    assert paths_between.targets_of(ENV, WORKER, both) == [("10.0.0.11", 10250), ("10.0.0.11", 6443)]
    assert ("10.0.0.12", 10250) in paths_between.targets_of(ENV, CONTROL_PLANE, both)
    assert paths_between.targets_of(ENV, CONTROL_PLANE, {"h1"}) == []


@pytest.mark.parametrize(
    ("new", "blocked_paths"),
    [
        (set(), []),
        ({"h2"}, ["h1: cannot reach 10.0.0.12 port 10250", "h2: cannot reach 10.0.0.11 port 6443"]),
        ({"h1", "h2"}, ["h1: cannot reach 10.0.0.12 port 10250", "h2: cannot reach 10.0.0.11 port 6443"]),
    ],
)
def test_connections_from_and_to_new_hosts_are_checked(new: set[str], blocked_paths: list[str]) -> None:
    """Existing hosts must reach a new one; connections between existing hosts are not checked at each apply."""
    blocked: list[list[object]] = [
        ["10.0.0.11", 6443, "no answer within 3 s"],
        ["10.0.0.12", 10250, "no answer within 3 s"],
    ]
    context = Context(
        lambda host: cast("Transport", ConnectingHost(host.name, blocked)),
        Bundle(Path(), manifest("1.36.3", "amd64", "", ())),
    )
    found = paths_between.problems(ENV, new, {"h1", "h2"}, context)
    assert [line.partition(": no answer")[0] for line in found] == blocked_paths

"""Which versions of the agent's program stay on a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rancherctl.agents import units
from rancherctl.agents.prune_versions import prune


def program(folder: Path, number: int) -> str:
    name = f"{number:012x}"
    (folder / name).mkdir()
    (folder / name / "agent.pyz").write_text(name)
    os.utime(folder / name, (number, number))
    return name


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(("runs", "stay"), [(5, {5, 4}), (2, {2, 5}), (1, {1, 5})])
def test_the_running_version_and_the_newest_other_stay(tmp_path: Path, runs: int, stay: set[int]) -> None:
    for number in range(1, 6):
        program(tmp_path, number)
    (tmp_path / "current").symlink_to(f"{runs:012x}")
    (tmp_path / "notes").mkdir()
    prune(tmp_path)
    assert names(tmp_path) == {f"{n:012x}" for n in stay} | {"current", "notes"}
    assert prune(tmp_path) == ()


@pytest.mark.parametrize("target", [None, "gone", "../elsewhere"])
def test_nothing_is_removed_if_it_is_unknown_which_version_runs(tmp_path: Path, target: str | None) -> None:
    for number in range(1, 4):
        program(tmp_path, number)
    if target:
        (tmp_path / "current").symlink_to(target)
    assert prune(tmp_path) == ()
    assert {f"{n:012x}" for n in range(1, 4)} <= names(tmp_path)


def test_only_the_agents_unit_prunes_and_its_start_does_not_depend_on_it() -> None:
    text = units.agent("/etc/rancherctl/agent.json")
    assert "ExecStartPost=-+/usr/bin/python3 -I /opt/rancherctl/agent/current/agent.pyz tidy" in text
    assert "/opt/rancherctl" not in next(line for line in text.splitlines() if line.startswith("ReadWritePaths"))
    assert "tidy" not in units.controller("/etc/rancherctl/controller.json")

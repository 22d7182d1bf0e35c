"""A join that is interrupted at any of its writes: the same command completes it, and nothing is left half done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.federation_desk import REVIEWS, Desk, running_desk
from tests.fakes.kube import Fault, Handler

JOIN = ("federation", "join", "acme", "--env", "m2", "--label", "env=prod", "--no-wait")
OWN = {"uid", "resourceVersion", "creationTimestamp", "token", "session-uid", "servers"}
"""Fields that differ from join to join: identities, times, and the ports of this test's APIs."""


def plain(value: Any) -> Any:
    """A JSON value without what is its own in each join."""
    if isinstance(value, dict):
        return {key: plain(found) for key, found in value.items() if key not in OWN}
    return [plain(found) for found in value] if isinstance(value, list) else value


def result(desk: Desk) -> dict[str, Any]:
    """All objects of both APIs."""
    return {name: {key: plain(o) for key, o in desk.apis[name].store.objects.items()} for name in ("acme", "m2")}


@dataclass
class Writes:
    """Counts the writes to both APIs; from number ``last`` on each connection is closed, as if the command had ended.

    ``late``: that one is still carried out, but not answered.
    """

    last: int = 10**6
    late: bool = False
    count: int = 0

    def attach(self, desk: Desk) -> None:
        for name in ("acme", "m2"):
            desk.apis[name].faults.append(Fault(self.is_write, self.act, 10**6))

    @staticmethod
    def is_write(verb: str, path: str, query: dict[str, str]) -> bool:
        return verb != "GET" and "dryRun" not in query and not path.endswith(REVIEWS)

    def act(self, handler: Handler) -> bool:
        self.count += 1
        if self.count < self.last:
            return False
        handler.close_connection = True
        if self.late and self.count == self.last:
            handler.answer = lambda *_: None  # type: ignore[method-assign]
            return False
        return True


@contextmanager
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    monkeypatch.setattr("rancherctl.cli.member_join._reachable", lambda run, federation: lambda server: "")
    tmp_path.mkdir(parents=True, exist_ok=True)
    with running_desk(tmp_path, monkeypatch, capsys) as desk:
        yield desk


@pytest.mark.parametrize("late", [False, True], ids=["before a write", "after a write"])
def test_a_join_that_was_interrupted_is_completed_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], late: bool
) -> None:
    """Case 29, karmada#4779: killed at each of its writes, before the request or before the answer."""
    counted = Writes()
    with fresh(tmp_path / "whole", monkeypatch, capsys) as desk:
        counted.attach(desk)
        assert desk.run(*JOIN).code == 0
        whole = result(desk)
    assert counted.count > 10
    for number in range(1, counted.count + 1):
        with fresh(tmp_path / str(number), monkeypatch, capsys) as desk:
            Writes(number, late).attach(desk)
            assert desk.run(*JOIN).code == 7, f"write {number}"
            for name in ("acme", "m2"):
                desk.apis[name].faults.clear()
            again = desk.run(*JOIN)
            assert again.code == 0, f"write {number}: {again.err}"
            assert result(desk) == whole, f"write {number}"
            assert "is already a member" in desk.run(*JOIN).err

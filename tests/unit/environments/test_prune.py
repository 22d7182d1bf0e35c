"""Objects that are no longer needed go last, and only while no host is missing."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.change import Change, Plan
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import ObservedHosts
from rancherctl.environments.phases import PHASES
from rancherctl.environments.phases import prune as module
from rancherctl.environments.phases.prune import PRUNE
from rancherctl.environments.run import EnvironmentRun
from rancherctl.errors import UnreachableError
from rancherctl.events import Event

ENV = from_flags("demo", ["root@10.0.0.11", "root@10.0.0.12"]).environment
ROLE = {"kind": "Role", "metadata": {"namespace": "rancherctl-system", "name": "old"}}


class SurplusObjects:
    """Stands in for ``kube.apply``: one role is surplus until it is pruned."""

    def __init__(self) -> None:
        self.surplus_objects = [ROLE]

    def surplus(self, *_: object) -> Plan[dict[str, Any]]:
        return Plan(tuple(Change("old", body, None, "no longer wanted") for body in self.surplus_objects))

    def apply(self, *_: object, **__: object) -> None:
        self.surplus_objects = []


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> SurplusObjects:
    found = SurplusObjects()
    monkeypatch.setattr(module, "kube", found)
    monkeypatch.setattr(EnvironmentRun, "api_answers", lambda _run: True)
    monkeypatch.setattr(EnvironmentRun, "client", lambda _run: None)
    return found


def run(*lost: str) -> tuple[EnvironmentRun, list[Event]]:
    events: list[Event] = []
    failures = {name: UnreachableError(f"{name}: no answer") for name in lost}
    return EnvironmentRun(ENV, Context(lambda _: None, None, emit=events.append), ObservedHosts({}, failures)), events  # type: ignore[arg-type, return-value]


def test_pruning_comes_after_the_agents_and_before_the_record() -> None:
    names = [phase.name for phase in PHASES]
    assert names.index("agents") < names.index("prune") < names.index("record")


def test_a_complete_apply_prunes_and_the_next_plan_has_nothing_to_prune(api: SurplusObjects) -> None:
    current, _ = run()
    assert [step.line() for step in PRUNE.plan(current).steps] == ["remove Role rancherctl-system/old"]
    PRUNE.apply(current, PRUNE.plan(current))
    assert api.surplus_objects == []
    assert PRUNE.plan(current).steps == ()


def test_while_a_host_is_missing_nothing_is_pruned_and_the_output_says_so(api: SurplusObjects) -> None:
    current, events = run("h2")
    (step,) = PRUNE.plan(current).steps
    assert (step.verb, step.kind) == ("check", "objects")
    PRUNE.apply(current, PRUNE.plan(current))
    assert api.surplus_objects == [ROLE]
    expected = (
        "objects that are no longer needed are kept: agents of the last release on h2 may still use them;"
        " the next apply that reaches every host removes them"
    )
    assert current.warnings == (expected,) == step.detail
    assert [(event.message, event.level) for event in events] == [(expected, "warning")]


def test_a_missing_host_is_not_mentioned_if_nothing_is_surplus(api: SurplusObjects) -> None:
    api.surplus_objects = []
    current, events = run("h2")
    assert PRUNE.plan(current).steps == ()
    assert events == []

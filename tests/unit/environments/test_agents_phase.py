"""The agents' phase: all hosts at once, but load balancers that clients use restart on one host after another."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rancherctl.bundle.model import Bundle, manifest
from rancherctl.environments import serving_health
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.context import Context
from rancherctl.environments.inventory import from_flags
from rancherctl.environments.observe import ObservedHost, ObservedHosts
from rancherctl.environments.phase_names import HOST_PHASES
from rancherctl.environments.phases.agents import AgentResources
from rancherctl.environments.pki.wanted import CertificateFolder
from rancherctl.environments.plan import PhasePlan
from rancherctl.environments.run import EnvironmentRun
from rancherctl.environments.serving_health import Serving
from rancherctl.hosts.model import Directory, File, Unit, key
from rancherctl.hosts.state import ObservedResources, state
from rancherctl.ingress.role_spec import SPEC

ENV = from_flags("demo", [f"root@10.0.0.1{n}" for n in range(1, 4)]).environment
FOLDER = Directory("/var/lib/rancherctl/ingress", 0o750, "root:rancherctl-lb")
TEXT = File("/etc/systemd/system/rancherctl-ingress.service", b"new")
UNIT = Unit("rancherctl-ingress.service", restart_on=(TEXT.path,))
OTHER = File("/opt/agent", b"new")
HELD = {key(FOLDER), key(TEXT), key(UNIT)}
NO_PLAN = PhasePlan("agents", "", ())


def run(active: Iterable[str]) -> EnvironmentRun:
    """A run in which the load balancer's unit has another text on every host; it is running on some."""
    found = {}
    for host in ENV.hosts:
        design: Any = {each: (FOLDER, TEXT, OTHER, UNIT) if each == "agents" else () for each in HOST_PHASES}
        active_now = "yes" if host.name in active else "no"
        unit = state("unit", UNIT.name, active=active_now, enabled="yes", started_with="old", loaded_with="")
        found[host.name] = ObservedHost(
            host, MachineFacts(), design, ObservedResources({key(UNIT): unit}), CertificateFolder({}, {})
        )
    nothing = Bundle(Path(), manifest(ENV.kubernetes, "", "", ()))
    return EnvironmentRun(ENV, Context(lambda host: host, nothing), ObservedHosts(found, {}))  # type: ignore[arg-type, return-value]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    out: list[str] = []

    def apply_to(self: AgentResources, run: EnvironmentRun, host: Any, *, without: Container[str] = ()) -> None:
        part = "without it" if all(name in without for name in HELD) and key(OTHER) not in without else "all"
        out.append(f"{host.name} {part}")

    def problem(run: EnvironmentRun, host: Any, *_: Any) -> str:
        out.append(f"{host.name} checked")
        return "no answer" if "broken" in out and host.name == "h2" else ""

    monkeypatch.setattr(AgentResources, "apply_to", apply_to)
    monkeypatch.setattr(serving_health, "observe", lambda *_: Serving(answers=True))
    monkeypatch.setattr(serving_health, "problem", problem)
    return out


PHASE = AgentResources("agents", "", critical=False, serving_seconds=0.0)


def test_load_balancers_restart_one_after_another_when_everything_else_is_done(events: list[str]) -> None:
    found = run(["h1", "h2", "h3"])
    PHASE.apply(found, NO_PLAN)
    assert sorted(events[:3]) == ["h1 without it", "h2 without it", "h3 without it"]
    assert events[3:] == ["h1 all", "h1 checked", "h2 all", "h2 checked", "h3 all", "h3 checked"]
    assert found.failures == {}


def test_hosts_whose_load_balancer_does_not_run_yet_need_no_order(events: list[str]) -> None:
    PHASE.apply(run(["h2"]), NO_PLAN)
    assert sorted(events[:3]) == ["h1 all", "h2 without it", "h3 all"]
    assert events[3:] == ["h2 all", "h2 checked"]


def test_if_one_does_not_serve_again_the_rest_stays_unchanged(events: list[str]) -> None:
    events.append("broken")
    found = run(["h1", "h2", "h3"])
    PHASE.apply(found, NO_PLAN)
    assert events[4:] == ["h1 all", "h1 checked", "h2 all", "h2 checked"]
    assert found.failures.keys() == {"h2", "h3"}
    assert found.failures["h2"].why == "no answer"
    assert "left unchanged, because that on h2 failed" in str(found.failures["h3"])


@pytest.mark.parametrize(
    ("before", "answers", "section", "problem"),
    [
        (Serving(answers=True, process=7, confirmed=True), True, {"haproxy": {"pid": 8}, "served": {"a": "b"}}, ""),
        (Serving(answers=True), False, {}, "no answer at 10.0.0.11, port 80"),
        (Serving(answers=False), False, {}, ""),
        (
            Serving(answers=True, process=7),
            True,
            {"haproxy": {"pid": 7}},
            "its agent has not reported the new process yet",
        ),
        (
            Serving(answers=True, process=7, confirmed=True),
            True,
            {"haproxy": {"pid": 8}, "served": {}},
            "its agent does not confirm any Ingress yet",
        ),
        (Serving(answers=True, process=7), True, {"haproxy": {"pid": 8}, "alarm": "in use"}, "in use"),
        (Serving(answers=True, process=7, trouble="in use"), True, {"haproxy": {"pid": 8}, "alarm": "in use"}, ""),
        (Serving(answers=True, process=7), True, "damaged", ""),
    ],
)
def test_a_load_balancer_serves_again_when_it_answers_and_its_agent_says_so(
    before: Serving, answers: bool, section: Any, problem: str
) -> None:
    report = {"data": {"report": json.dumps({"sections": {"lb": section}}) if section != "damaged" else "[" * 100_000}}
    transport = SimpleNamespace(run=lambda *_, **__: SimpleNamespace(ok=answers))
    found: Any = SimpleNamespace(
        context=SimpleNamespace(transport=lambda _: transport),
        api_answers=lambda: True,
        client=lambda: SimpleNamespace(get=lambda *_, **__: report),
    )
    assert serving_health.problem(found, ENV.hosts[0], SPEC, before) == problem

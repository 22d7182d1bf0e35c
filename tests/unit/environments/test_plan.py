"""Plans as values: what they say in words, when they are empty, and what tells two of them apart."""

from __future__ import annotations

from dataclasses import replace

from rancherctl.change import Change
from rancherctl.environments import plan as plans
from rancherctl.environments.pki.wanted import CertChange
from rancherctl.environments.plan import EnvironmentPlan, PhasePlan, Step
from rancherctl.hosts.model import Unit
from rancherctl.hosts.state import desired, state


def test_an_empty_plan_is_falsy_and_digests_differ_if_plans_do() -> None:
    step = Step("h1", "file", "create", "/etc/x", ("+a",))
    one = EnvironmentPlan("demo", (PhasePlan("nodes", "nodes", (step,)),))
    assert not EnvironmentPlan("demo")
    assert one.counts() == {"create": 1}
    assert (
        one.digest()
        == EnvironmentPlan("demo", (PhasePlan("nodes", "nodes", (replace(step, detail=("+b",)),)),)).digest()
    )
    assert one.digest() != EnvironmentPlan("demo", (PhasePlan("nodes", "nodes", (replace(step, host="h2"),)),)).digest()


def test_steps_describe_their_action_in_words() -> None:
    package = state("package", "haproxy", installed="yes", masked="haproxy.service")
    assert plans.resource_step("h1", Change("k", None, package)).line() == "install package haproxy"
    artefact = state("artefact", "/opt/x", sha256="0")
    assert plans.resource_step("h1", Change("k", None, artefact)).line() == "upload artefact /opt/x"
    unit = state("unit", "x.service", active="yes", enabled="yes", started_with="b", loaded_with="")
    old = state("unit", "x.service", active="yes", enabled="yes", started_with="a", loaded_with="")
    assert plans.resource_step("h1", Change("k", old, unit, "restart: /etc/x")).line() == "restart unit x.service"
    makes = desired(Unit("x.service", makes=("/etc/made",)), {})
    assert plans.resource_step("h1", Change("k", None, makes)).detail == ("creates /etc/made",)
    assert plans.resource_step("h1", Change("k", unit, makes, "restart: /etc/x")).detail == ("restart: /etc/x",)
    step = plans.certificate_step("h1", CertChange("certificate", "agent", "/p/agent.crt", "create", "missing"))
    assert step.line() == "create certificate /p/agent.crt"
    assert "/p/agent.key stays on the host" in step.detail[0]

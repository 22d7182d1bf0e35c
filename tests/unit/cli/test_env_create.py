"""What a failed `env create` or `apply` leaves on the operator's machine, and how the same command continues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.environments.model import Environment
from rancherctl.environments.plan import EnvironmentPlan, PhasePlan, Step
from rancherctl.environments.reconcile import AppliedEnvironment
from rancherctl.errors import LockedError, PreflightError, RancherctlError
from tests.fakes.env_operations import CREATE, Call, applying


def test_an_environment_refused_by_preflight_is_not_stored_and_refused_again(
    call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    applying(monkeypatch, PreflightError("the hosts are not ready", ["h1: port 80 is taken"]), begun=False)
    for _ in range(2):
        code, text = call(*CREATE)
        assert code == 1
        assert "port 80 is taken" in text
        assert known.names() == []


def test_invalid_input_stores_no_environment(call: Call, known: KnownEnvironments) -> None:
    for _ in range(2):
        assert call("env", "create", "demo", "--host", "root@10.0.0.1=king")[0] == 2
        assert known.names() == []


@pytest.mark.parametrize(
    "more",
    [
        ("--host", "10.0.0.1"),
        ("--kubernetes", "1.35.4"),
        ("--identity", "k"),
        ("--ssh-config", "c"),
        ("--jump", "b"),
        ("--ssh-client", "paramiko"),
    ],
)
def test_options_that_the_file_defines_cannot_be_combined_with_it(call: Call, more: tuple[str, str]) -> None:
    code, text = call("env", "create", "-f", "prod.yaml", *more)
    assert code == 2
    assert f"--file cannot be combined with {more[0]}" in text


def test_an_interrupted_create_is_resumed_by_the_same_command(
    call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    applying(monkeypatch, RancherctlError("cut"), begun=True)
    assert call(*CREATE)[0] == 1
    assert known.names() == ["demo"]
    applying(monkeypatch, RancherctlError("further on"), begun=True)
    code, text = call(*CREATE)
    assert code == 1
    assert "resuming an interrupted create" in text
    assert "further on" in text


def test_an_apply_under_the_name_of_another_environment_keeps_the_others_file(
    call: Call, known: KnownEnvironments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applying(monkeypatch, RancherctlError("cut"), begun=True)
    call(*CREATE)
    before = known.file("demo").read_text(encoding="utf-8")
    file = tmp_path / "demo.yaml"
    file.write_text(before.replace("10.0.0.", "10.9.9."))
    text = call("env", "apply", "-f", str(file))[1]
    kept = known.dirs.state / "removed" / "demo.yaml"
    assert (
        "demo was the name of another environment on this machine (API: https://10.0.0.1:6443); "
        f"its file was moved to {kept}" in text
    )
    assert kept.read_text(encoding="utf-8") == before
    assert known.read("demo").hosts[0].address == "10.9.9.1"
    assert "another environment" not in call("env", "apply", "-f", str(file))[1]


def test_create_with_other_hosts_under_a_known_name_is_a_conflict(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    applying(monkeypatch, RancherctlError("cut"), begun=True)
    call(*CREATE)
    code, text = call(*CREATE[:-1], "root@10.0.0.3")
    assert code == 5
    assert "exists with other hosts" in text


def test_an_apply_reports_its_changes_before_a_sign_in_failure(
    call: Call, known: KnownEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def apply(
        environment: Environment, context: Any, *, begin: Callable[[], object], **options: Any
    ) -> AppliedEnvironment:
        begin()
        steps = (Step("h1", "file", "create", "/etc/rancherctl/x"),)
        return AppliedEnvironment(
            environment, EnvironmentPlan("demo", (PhasePlan("nodes", "nodes", steps),)), environment.server(), "CA"
        )

    def sign_in(*args: Any) -> None:
        raise LockedError("the kubeconfig file is locked")

    monkeypatch.setattr("rancherctl.environments.reconcile.apply", apply)
    monkeypatch.setattr("rancherctl.cli.sign_in.sign_in_if_needed", sign_in)
    code, text = call(*CREATE)
    assert code == 5
    assert "/etc/rancherctl/x" in text
    assert "demo applied, but this machine is not signed in" in text
    assert "error: the kubeconfig file is locked\n  next: run the same command again to sign in" in text


def test_a_plan_without_progress_still_prints_its_warnings(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(environment: Environment, context: Any) -> EnvironmentPlan:
        return EnvironmentPlan("demo", warnings=("HTTP requests are redirected",))

    monkeypatch.setattr("rancherctl.environments.reconcile.plan", plan)
    code, text = call(*CREATE, "--dry-run", "--progress", "none")
    assert code == 0
    assert "warning: HTTP requests are redirected" in text

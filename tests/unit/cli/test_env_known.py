"""Reading commands of environments: files that cannot be used, waits, and machines without a bundle."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.environments.health import EnvironmentStatus, HostHealth
from tests.fakes.env_operations import Call


def test_a_wait_that_times_out_shows_what_is_unhealthy(
    call: Call, stored_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = HostHealth("h1", "10.0.0.1", ("worker",), False, "no answer")
    looks: list[int] = []

    def status(environment: Any, context: Any) -> EnvironmentStatus:
        looks.append(1)
        return EnvironmentStatus("demo", "1.36.3", "https://10.0.0.1:6443", "ok", (host,))

    monkeypatch.setattr("rancherctl.environments.status.status", status)
    code, text = call("env", "status", "demo", "--wait", "--timeout", "250ms")
    assert code == 124
    assert len(looks) > 1
    assert text.count("not healthy yet: h1: cannot be reached: no answer") == 1
    assert "demo is degraded" in text
    assert "why:  h1: cannot be reached: no answer" in text


def test_a_warning_names_a_known_file_that_cannot_be_read(
    call: Call, known: KnownEnvironments, stored_file: str
) -> None:
    known.file("demo").write_text("nonsense")
    code, text = call("env", "ls")
    assert code == 0
    assert "warning: cannot use the file of demo" in text


@pytest.mark.parametrize("broken", [b"name: \xff\xfe", None])
def test_a_known_file_that_is_not_text_does_not_hide_others(
    call: Call, known: KnownEnvironments, stored_file: str, monkeypatch: pytest.MonkeyPatch, broken: bytes | None
) -> None:
    monkeypatch.setattr("rancherctl.cli.env.listing.connect_problem", lambda host, port, proxy: "")
    known.file("other").mkdir() if broken is None else known.file("other").write_bytes(broken)
    code, text = call("env", "ls", "-o", "name")
    assert code == 0
    assert "environment/demo" in text.splitlines()
    assert "warning: cannot use the file of other" in text
    code, text = call("env", "show", "other")
    assert code == 2
    assert str(known.file("other")) in text
    assert "env fetch" in text


def test_status_works_without_a_bundle(
    call: Call, known: KnownEnvironments, stored_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who has just fetched an environment has no bundle."""
    monkeypatch.setattr("rancherctl.cli.env.work_context.resolve", lambda *args: pytest.fail("no bundle was chosen"))
    found = EnvironmentStatus("demo", "1.36.3", "https://10.0.0.1:6443", "ok", ())
    monkeypatch.setattr("rancherctl.environments.status.status", lambda environment, context: found)
    assert call("env", "status", "demo")[0] == 0

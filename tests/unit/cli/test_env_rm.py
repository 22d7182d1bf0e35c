"""What `env rm` leaves known on the operator's machine, and how the same command continues."""

from __future__ import annotations

from pathlib import Path

import pytest

from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.environments.inventory import load
from rancherctl.environments.removal.remove import Removed
from rancherctl.errors import LockedError, PartialError
from tests.fakes.env_operations import Call, removing

RM = ("env", "rm", "demo", "--confirm", "demo")


def partial() -> PartialError:
    return PartialError("1 of 2 hosts are not clean", {"10.0.0.2": "no answer"}, hint="run the same command again")


@pytest.mark.parametrize("outcome", [partial(), Removed("demo", {"h1": ("x",)}, {"h1": ("/opt/rancherctl",)})])
def test_an_environment_stays_known_until_its_hosts_are_clean(
    call: Call,
    known: KnownEnvironments,
    stored_file: str,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Removed | Exception,
) -> None:
    removing(monkeypatch, outcome)
    code, text = call(*RM)
    assert code == 6
    assert "stays known on this machine" in text
    assert "no longer known" not in text
    assert known.names() == ["demo"]


@pytest.mark.parametrize("outcome", [partial(), Removed("demo", {"h1": ("x",)}, {"h1": ("/opt/rancherctl",)})])
def test_force_forgets_the_environment_and_tells_how_to_clean_the_rest(
    call: Call,
    known: KnownEnvironments,
    stored_file: str,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Removed | Exception,
) -> None:
    removing(monkeypatch, outcome)
    code, text = call(*RM, "--force")
    assert code == 6
    assert known.names() == []
    file = known.dirs.state / "removed" / "demo.yaml"
    assert f"rancherctl env rm -f {file} --confirm demo" in text
    assert file.read_text(encoding="utf-8") == stored_file
    removing(monkeypatch, Removed("demo", {"h1": ("x",)}))
    assert call("env", "rm", "-f", str(file), "--confirm", "demo")[0] == 0


def test_removing_by_file_keeps_another_environment_of_the_same_name(
    call: Call, known: KnownEnvironments, stored_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(stored_file.replace("10.0.0.", "10.9.9."))
    removing(monkeypatch, Removed("demo", {"h1": ("x",)}))
    code, text = call("env", "rm", "-f", str(file), "--confirm", "demo")
    assert code == 0
    assert "demo on this machine is another environment (API: https://10.0.0.1:6443); it is kept" in text
    assert known.names() == ["demo"]


def test_force_does_not_break_a_lock(
    call: Call, known: KnownEnvironments, stored_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    removing(monkeypatch, LockedError("held by ann"))
    assert call(*RM, "--force")[0] == 5
    assert known.names() == ["demo"]


def test_a_removed_environment_is_forgotten(
    call: Call, known: KnownEnvironments, stored_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    removing(monkeypatch, Removed("demo", {"h1": ("x",)}))
    code, text = call(*RM)
    assert (code, known.names()) == (0, [])
    assert "removed from this machine's environments" in text
    assert load(stored_file, "x").environment.name == "demo"

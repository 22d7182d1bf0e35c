from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rancherctl.cli import app, context, lab
from rancherctl.errors import NotFoundError
from rancherctl.lab import ops, state, status
from rancherctl.lab.command import LabError
from rancherctl.lab.paths import Roots


def test_a_lab_removed_during_the_listing_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def rows(name: str, _roots: Roots) -> Iterator[Any]:
        if name == "gone":
            raise NotFoundError("lab gone not found")
        if name == "torn":
            raise LabError("cannot read torn")
        return iter([name])

    monkeypatch.setattr(state, "names", lambda _roots: ("a", "gone", "torn", "z"))
    monkeypatch.setattr(status, "lab_status", rows)
    rows_, failures = lab._of_all(Roots(tmp_path))
    assert rows_ == ["a", "z"]
    assert [failure.where for failure in failures] == ["torn"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(context, "state", context.RunState())
    monkeypatch.setattr(app, "_watch_signals", lambda: None)
    monkeypatch.setattr(lab, "_roots", lambda _run: Roots(tmp_path / "labs", tmp_path / "cache"))

    def call(*words: str) -> tuple[int, str, str]:
        code = app.main(["lab", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def test_lab_ssh_without_root_is_refused_with_a_reason(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    code, _, err = run("ssh", "h1")
    assert (code, "a lab needs root" in err) == (2, True)


@pytest.mark.parametrize(
    "words", [("status",), ("down",), ("ssh", "h1"), ("host", "stop", "h1"), ("host", "cut", "h1"), ("up",)]
)
def test_a_lab_name_that_is_a_path_is_refused_everywhere(
    run: Any, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda program: f"/bin/{program}")
    code, _, err = run(*words, "--name", "../two")
    assert (code, "'../two' is not usable" in err) == (2, True)
    assert not (tmp_path / ".two.lock").exists()


def test_a_lab_that_cannot_be_removed_does_not_stop_the_others(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []

    def down(name: str, _roots: Roots, _steps: object) -> bool:
        if name == "b":
            raise LabError("processes 7 do not end")
        removed.append(name)
        return True

    monkeypatch.setattr(state, "names", lambda _roots: ("a", "b", "c"))
    monkeypatch.setattr(ops, "down", down)
    code, _, err = run("down", "--all")
    assert (code, removed, "b: processes 7 do not end" in err) == (6, ["a", "c"], True)

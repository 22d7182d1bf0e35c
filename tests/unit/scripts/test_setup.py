"""Setting up the working tree: what a killed setup left, two at once, what is missing."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts import setup


class Commands:
    """Programs that setup would run: ``-m venv`` creates a python, ``-m pip --version`` answers with ``pip``."""

    def __init__(self, tree: Path, *, pip: bool) -> None:
        self.tree, self.pip, self.ran = tree, pip, list[list[str]]()

    def run(self, argv: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        words = [str(word) for word in argv]
        self.ran.append(words[1:3] if words[1:3] == ["-m", "venv"] else words[1:4])
        if words[1:3] == ["-m", "venv"]:
            self.pip = True
            (self.tree / ".venv/bin").mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(words, 0 if self.pip else 1)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    return tmp_path


@pytest.mark.parametrize("pip", [True, False])
def test_an_incomplete_virtual_environment_is_recreated(pip: bool, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m venv`` makes the interpreter first and pip last."""
    (tree / ".venv/bin").mkdir(parents=True)
    commands = Commands(tree, pip=pip)
    monkeypatch.setattr(subprocess, "run", commands.run)
    setup.environment()
    assert (["-m", "venv"] in commands.ran) is not pip
    assert commands.ran[-1] == ["-m", "pip", "install"]
    before = len(commands.ran)
    setup.environment()
    assert len(commands.ran) == before


def test_a_second_setup_uses_the_result_of_the_first(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands, waits = Commands(tree, pip=False), threading.Event()
    monkeypatch.setattr(subprocess, "run", commands.run)
    say = setup.say

    def record(text: str) -> None:
        say(text)
        if "waiting" in text:
            waits.set()

    monkeypatch.setattr(setup, "say", record)
    second = threading.Thread(target=setup.environment)
    with setup.exclusive(tree):
        second.start()
        assert waits.wait(60)
        (tree / ".venv").mkdir()
        monkeypatch.setattr(setup, "exclusive", unlocked)
        setup.environment()
        made = len(commands.ran)
    second.join(60)
    assert len(commands.ran) == made
    assert "already up to date" in capsys.readouterr().out


@contextmanager
def unlocked(_lock: Path) -> Iterator[None]:
    yield


def test_a_package_can_be_required_only_if_its_program_is_missing() -> None:
    lines = ["# words", "", "haproxy   # tests", "golang-go unless no-such-program  # web", "shells unless sh"]
    assert setup.wanted_packages(lines) == ["haproxy", "golang-go"]


def test_services_are_disabled_only_while_packages_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(setup, "POLICY", policy)
    monkeypatch.setattr(setup, "DAEMONS", {"haproxy": ()})
    monkeypatch.setitem(setup.DAEMONS, "haproxy", ("x.service",))
    monkeypatch.setattr(Path, "symlink_to", lambda *_: None)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)
    with setup.no_daemons(["haproxy"]):
        assert subprocess.run([policy], check=False).returncode == 101
        assert setup.left_policy()
    assert not policy.exists()
    policy.write_text("#!/bin/sh\nexit 0\n")
    assert not setup.left_policy()
    with setup.no_daemons(["haproxy"]):
        assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.exists()


def test_leftovers_of_a_killed_setup_do_not_disable_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(setup.OURS)
    monkeypatch.setattr(setup, "POLICY", policy)
    monkeypatch.setattr(setup, "exclusive", lambda: unlocked(policy))
    monkeypatch.setattr(setup, "missing_packages", list)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    setup.packages()
    assert not policy.exists()

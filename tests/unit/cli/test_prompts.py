from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from rancherctl.cli.prompts import prompts
from rancherctl.errors import UsageError
from rancherctl.hosts.prompts import HostKeyQuestion, SudoLogin
from rancherctl.settings import Dirs, Settings

DIRS = Dirs(Path("/nonexistent/c"), Path("/nonexistent/s"), Path("/nonexistent/k"))
LOGIN = SudoLogin("ops", "h", "10.0.0.1")


def say(line: str) -> None:
    raise AssertionError(line)


QUESTION = HostKeyQuestion("h1", "[10.0.0.1]:22", "ssh-ed25519", "SHA256:abc")


def test_there_are_no_prompts_without_a_terminal() -> None:
    found = prompts(Settings(DIRS), nullcontext, say)
    assert (found.host_key, found.password, found.passphrase) == (None, None, None)
    assert found.sudo is not None
    assert found.sudo(LOGIN) is None


def test_the_sudo_password_of_a_file_never_prints_itself(tmp_path: Path) -> None:
    path = tmp_path / "sudo"
    path.touch(0o600)
    path.write_text("s3cret\n")
    found = prompts(Settings(DIRS, sudo_password_file=path), nullcontext, say)
    assert found.sudo is not None
    password = found.sudo(LOGIN)
    assert password == "s3cret"
    assert "s3cret" not in repr(password)


def test_a_password_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sudo password file"):
        prompts(Settings(DIRS, sudo_password_file=tmp_path / "none"), nullcontext, say)


def test_a_password_file_readable_by_others_gives_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "sudo"
    path.write_text("s3cret\n")
    path.chmod(0o644)
    said: list[str] = []
    assert prompts(Settings(DIRS, sudo_password_file=path), nullcontext, said.append).sudo is not None
    assert said == [f"warning: {path} with the sudo password is readable by other users; run chmod 600 {path}"]


@pytest.mark.parametrize("interactive", [True, False])
def test_yes_accepts_unknown_host_keys_with_a_notice(interactive: bool) -> None:
    said: list[str] = []
    ask = prompts(Settings(DIRS, interactive=interactive, yes=True), nullcontext, said.append).host_key
    assert ask is not None
    assert ask(QUESTION)
    assert said == ["h1: accepted and stored host key ssh-ed25519 SHA256:abc (--yes)"]


@pytest.mark.parametrize(("answer", "trusted"), [("y", True), ("YES", True), ("", False), ("n", False)])
def test_an_unknown_host_key_is_shown_and_accepted_only_on_yes(
    monkeypatch: pytest.MonkeyPatch, answer: str, trusted: bool
) -> None:
    seen: list[str] = []

    def line(prompt: str, *, hidden: bool) -> str:
        assert not hidden
        seen.append(prompt)
        return answer

    monkeypatch.setattr("rancherctl.cli.prompts.read_line", line)
    ask = prompts(Settings(DIRS, interactive=True), nullcontext, say).host_key
    assert ask is not None
    assert ask(QUESTION) is trusted
    assert "SHA256:abc" in seen[0]


def test_many_connections_ask_for_one_login_password_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def line(prompt: str, *, hidden: bool) -> str:
        assert hidden
        asked.append(prompt)
        return "pw"

    monkeypatch.setattr("rancherctl.cli.prompts.read_line", line)
    password = prompts(Settings(DIRS, interactive=True), nullcontext, say).password
    assert password is not None
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(password("ops@h"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["pw"] * 8
    assert asked == ["password for ops@h: "]


def test_an_end_of_input_gives_no_password_and_ends_all_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def line(prompt: str, *, hidden: bool) -> None:
        asked.append(prompt)

    monkeypatch.setattr("rancherctl.cli.prompts.read_line", line)
    found = prompts(Settings(DIRS, interactive=True), nullcontext, say)
    assert found.sudo is not None
    assert found.host_key is not None
    assert found.sudo(LOGIN) is None
    assert not found.host_key(QUESTION)
    assert asked == ["sudo password for ops@h: "]


@pytest.mark.parametrize("interactive", [True, False])
def test_notes_are_printed_with_verbose_only_and_never_into_a_live_view(interactive: bool) -> None:
    said: list[str] = []

    @contextmanager
    def paused() -> Iterator[None]:
        said.append("view removed")
        yield
        said.append("view back")

    assert prompts(Settings(DIRS, interactive=interactive), paused, said.append).note is None
    note = prompts(Settings(DIRS, interactive=interactive, verbose=True), paused, said.append).note
    assert note is not None
    note("h1: ssh client paramiko")
    assert said == ["view removed", "h1: ssh client paramiko", "view back"]

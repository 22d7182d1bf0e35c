"""Every command of the tree in the surroundings that people and CI have: no traceback, and the right exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rancherctl.cli.docs.topics import EXIT_CODES
from rancherctl.cli.docs.tree import read
from rancherctl.cli.root import command
from tests.fakes.surroundings import (
    PRINTS,
    WORDS,
    Start,
    broken_pipe,
    closed_configuration,
    closed_folders,
    closed_output,
    full_home,
    full_streams,
    no_home,
    no_streams,
    plain_terminal,
    read_only_home,
    run,
    signed_in_home,
)


def commands() -> list[str]:
    return [" ".join(node.path) for node in read(command()).walk() if node.path and not node.children]


def test_the_table_of_words_has_every_command() -> None:
    assert sorted(WORDS) == sorted(commands())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return signed_in_home(tmp_path)


SURROUNDINGS = [
    plain_terminal,
    closed_output,
    broken_pipe,
    no_streams,
    full_streams,
    no_home,
    read_only_home,
    full_home,
    closed_folders,
    closed_configuration,
]


@pytest.mark.parametrize(
    "surroundings",
    [pytest.param(s, marks=() if s in (plain_terminal, read_only_home) else pytest.mark.slow) for s in SURROUNDINGS],
)
@pytest.mark.parametrize("name", WORDS)
def test_every_command_ends_as_its_help_says(name: str, surroundings: Callable[[Path], Start], home: Path) -> None:
    start = surroundings(home)
    try:
        done = run(name, home, start)
    finally:
        for folder in (home / ".cache/rancherctl", home / ".local/state/rancherctl", home / ".config/rancherctl"):
            if folder.exists():
                folder.chmod(0o700)
    for text in ("Traceback", "internal error", "Exception ignored", "unexpected"):
        assert text not in done.stderr, done.stderr
    assert done.returncode in dict(EXIT_CODES), done.stderr
    if surroundings in (closed_output, no_streams) and name in PRINTS:
        assert done.returncode == 141
    if surroundings in (read_only_home, full_home, closed_folders) and name in PRINTS | {"kubectl"}:
        assert done.returncode == int(name == "env status"), done.stderr
    if "why:  Read-only" in done.stderr:
        assert "next: set " in done.stderr

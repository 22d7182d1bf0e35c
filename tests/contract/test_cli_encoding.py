"""Terminals and pipes whose encoding lacks characters that the program prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "import sys; from rancherctl.cli.app import main; sys.exit(main(sys.argv[1:]))"
PRINT = "import sys; from rancherctl.cli import streams; streams.encode_any_text(); streams.out(eval(sys.argv[1]))"


def run(program: str, *words: str, encoding: str, home: Path) -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONIOENCODING": encoding, "CI": "true"}
    argv = [sys.executable, "-c", program, *words]
    return subprocess.run(argv, env=env, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "cp437"])
@pytest.mark.parametrize(
    "words",
    [("--help",), ("env", "create", "--help"), ("help", "files"), ("help", "environment"), ("completion", "bash")],
    ids=" ".join,
)
def test_help_is_printed_on_terminals_of_any_encoding(tmp_path: Path, encoding: str, words: tuple[str, ...]) -> None:
    done = run(PROGRAM, *words, encoding=encoding, home=tmp_path)
    assert (done.returncode, b"Error" in done.stderr) == (0, False)
    assert done.stdout.decode(encoding).strip()


def test_errors_are_printed_on_terminals_of_any_encoding(tmp_path: Path) -> None:
    done = run(PROGRAM, "env", "show", "中…", encoding="latin-1", home=tmp_path)
    assert done.returncode == 3
    assert b"environment '\\u4e2d...' not found" in done.stderr


def test_characters_that_an_encoding_lacks_become_similar_or_escaped_ones(tmp_path: Path) -> None:
    done = run(PRINT, "'a … b → é 中 \\udcff'", encoding="latin-1", home=tmp_path)
    assert done.stdout.decode("latin-1") == "a ... b -> é \\u4e2d \\udcff"
    assert json.loads(f'"{done.stdout.decode("latin-1")}"'.replace("\\udcff", "")) == "a ... b -> é 中 "


def test_names_that_are_not_utf_8_are_printed_escaped(tmp_path: Path) -> None:
    assert run(PRINT, "'…\\udcff'", encoding="utf-8", home=tmp_path).stdout == "…\\udcff".encode()


def test_an_error_handler_chosen_by_the_user_is_kept(tmp_path: Path) -> None:
    assert run(PRINT, "'中'", encoding="latin-1:replace", home=tmp_path).stdout == b"?"

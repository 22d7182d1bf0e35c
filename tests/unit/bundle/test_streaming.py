"""Running a command and reading along."""

import sys
from pathlib import Path

import pytest

from rancherctl.bundle.sources.streaming import run_streaming


def test_lines_of_both_streams_and_the_exit_code_are_returned(tmp_path: Path) -> None:
    lines: list[str] = []
    script = "import sys, os; print(os.getcwd(), flush=True); print('err', file=sys.stderr); sys.exit(3)"
    assert run_streaming([sys.executable, "-c", script], tmp_path, 30, lines.append) == 3
    assert lines == [str(tmp_path), "err"]


def test_the_limit_ends_the_command_and_its_children(tmp_path: Path) -> None:
    assert run_streaming(["sh", "-c", "sleep 60 & echo on; wait"], tmp_path, 0.2, lambda _line: None) == -9


def test_an_interrupted_reader_ends_the_command(tmp_path: Path) -> None:
    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_streaming(["sh", "-c", "echo on; exec sleep 60"], tmp_path, 30, interrupt)

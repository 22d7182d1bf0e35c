"""The program as a process: signals, closed and full streams, an unwritable home, a closed terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest


def test_a_second_interrupt_exits_at_once() -> None:
    program = """
import os, signal
from rancherctl.cli import app
app._watch_signals()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("stopping", flush=True)
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        print("waited for", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (130, "stopping\n")
    assert "run the same command again" in done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_two_termination_signals_clean_up_once(name: str) -> None:
    program = f"""
import os, signal
from rancherctl.cli import app
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
app._watch_signals()
try:
    os.kill(os.getpid(), signal.{name})
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.{name})
    print("cleaned up", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cleaned up\n", "")


def test_a_run_under_nohup_continues_after_the_terminal_is_closed() -> None:
    program = """import os, signal; from rancherctl.cli import app; app._watch_signals()
os.kill(os.getpid(), signal.SIGHUP); print('on')"""
    argv = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", program]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout == "on\n"


def test_a_home_that_cannot_be_written_gives_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {"HOME": str(tmp_path / "file"), "PATH": "/usr/bin:/bin"}
    program = "import sys; from rancherctl.cli.app import main; sys.exit(main(['env', 'ls']))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert [line.startswith("warning: cannot write a log file in") for line in lines] == [True, False], lines
    assert lines[1].startswith("no environments found")


PROGRAM = "import sys; from rancherctl.cli.app import main; sys.exit(main(sys.argv[1:]))"


def with_streams(redirected: str, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A run with redirected streams, buffered by Python as usual."""
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    argv = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", PROGRAM, *words]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "words", [["--version"], ["version"], ["help", "files"], ["completion", "bash"], ["--help"]], ids=" ".join
)
def test_a_full_disk_behind_any_output_is_a_failure_without_traceback(words: list[str], tmp_path: Path) -> None:
    done = with_streams(">/dev/full", *words, home=tmp_path)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


@pytest.mark.parametrize("words", [["--version"], ["version"], ["help", "files"], ["--help"]], ids=" ".join)
def test_a_closed_standard_output_is_a_closed_pipe(words: list[str], tmp_path: Path) -> None:
    done = with_streams(">&-", *words, home=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (141, False)


def test_closed_standard_input_and_error_keep_the_exit_code(tmp_path: Path) -> None:
    assert with_streams("2>&- <&-", "nonsense", home=tmp_path).returncode == 2
    done = with_streams("2>&- <&-", "env", "ls", "-o", "name", home=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("words", "code"), [(["env", "show", "nope"], 3), (["nonsense"], 2), (["env"], 2)])
def test_a_failure_keeps_its_exit_code_if_standard_error_is_closed(tmp_path: Path, words: list[str], code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    argv = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(
        argv,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=writer,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert done.returncode == code


def test_a_closed_terminal_is_an_interrupt(tmp_path: Path) -> None:
    program = "import os, signal; os.write(2, b'?'); signal.pause()"
    code = f"""from rancherctl.cli import app, root
app._run = lambda words, prog: (app._watch_signals(), exec({program!r})); {PROGRAM}"""
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
        os.execve(
            sys.executable, [sys.executable, "-c", code, "env", "ls"], {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        )
    while b"?" not in os.read(terminal, 100):
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130

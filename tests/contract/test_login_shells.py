"""Command lines reach programs unchanged, whatever the login shell is."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rancherctl.hosts import sudo
from rancherctl.hosts.fact_commands import script_text
from rancherctl.hosts.login_shell import for_login_shell
from rancherctl.hosts.remote_call import ARGV

SHELLS = ("sh", "bash", "dash", "zsh", "bsd-csh", "tcsh", "fish", "busybox sh")
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=80)


def run(shell: str, line: str) -> subprocess.CompletedProcess[bytes]:
    argv = shell.split()
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    return subprocess.run([*argv, "-c", line], capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL)


def shown(shell: str, words: list[str]) -> bytes:
    """What a program that prints its arguments, each with a line ending, prints as a command of the login shell."""
    done = run(shell, for_login_shell(shlex.join(["printf", "%s\\0", *words])))
    assert done.stderr == b""
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=25, deadline=None)
@example(["!!", "!", "a!b", "!ls", "^a^b"])
@example(["new\nline", "end\n", "\n", "tab\t", "\x01\x7f"])
@example(["\\", "\\\\", "\\'", "'", '"', "\\n", "\\0101", "%s", "%%"])
@example(["ä€😀", "=ls", "%1", "~root", "-n", "", " ", "#", "*", "{a,b}", "$HOME", "`id`", "$(id)", "(%self)"])
@example(["x" * 5000, "y\n" * 5000])
@given(st.lists(TEXTS, max_size=5))
def test_arguments_arrive_unchanged(shell: str, words: list[str]) -> None:
    assert shown(shell, words) == b"".join(word.encode() + b"\0" for word in (words or [""]))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("line", ["sh -c 'exit 7'", "sh -c 'exit 7 # \n!'"])
def test_the_exit_status_is_the_one_of_the_program(shell: str, line: str) -> None:
    assert run(shell, for_login_shell(line)).returncode == 7


@pytest.mark.parametrize("shell", SHELLS)
def test_a_missing_program_has_the_status_of_a_shell(shell: str) -> None:
    """It is how a host without Python is recognised."""
    assert run(shell, for_login_shell(shlex.join(["no-such-program", "a\nb"]))).returncode == 127


@pytest.mark.parametrize("shell", SHELLS)
def test_the_lines_that_are_really_sent_run(shell: str) -> None:
    """The loader of our programs, the script of the facts, the detection of root rights, and sudo's line."""
    loader = shlex.join(ARGV)
    done = run(shell, for_login_shell(loader))
    # without a request on standard input it ends in its fourth line
    assert b"sizes[0]" in done.stderr or b"list index out of range" in done.stderr
    facts = run(shell, for_login_shell(shlex.join(["sh", "-nc", script_text()])))
    assert (facts.returncode, facts.stderr) == (0, b"")
    probe = run(shell, for_login_shell(shlex.join(["sh", "-c", sudo.PROBE])))
    assert probe.stdout.split()[-1] in {b"root", b"sudo", b"password"}
    wrapped = sudo.with_password("printf '%s' 'a!\nb'", "rancherctl-0123456789abcdef")
    script = shlex.split(wrapped)[-1]
    done = run(shell, for_login_shell(shlex.join(["sh", "-c", script])))
    assert (done.stdout, done.stderr) == (b"a!\nb", b"rancherctl-0123456789abcdef")


def test_short_lines_that_all_shells_take_alike_stay_readable() -> None:
    assert for_login_shell("systemctl restart 'a b'") == "systemctl restart 'a b'"

"""Recognising the state of sudo, and quoting commands for it."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from rancherctl.hosts import sudo

LECTURE = b"\nWe trust you have received the usual lecture from the local System\nAdministrator.\n\n"


@pytest.mark.parametrize(
    ("stderr", "state"),
    [
        (b"", "waiting"),
        (LECTURE, "waiting"),
        (LECTURE + b"MARK", "running"),
        (b"Sorry, try again.\nMARK", "running"),
        (b"Sorry, try again.\n", "wrong"),
        (b"sudo: 1 incorrect password attempt\n", "wrong"),
        (LECTURE + b"[sudo] password for ops: ", "waiting"),
        (LECTURE + sudo.prompt("MARK").encode(), "asks"),
        (b"Sorry, try again.\n" + sudo.prompt("MARK").encode(), "wrong"),
        (b"ops is not in the sudoers file.\n", "refused"),
        (b"sudo: sorry, you must have a tty to run sudo\n", "refused"),
    ],
)
def test_the_state_of_sudo_is_read_from_standard_error(stderr: bytes, state: str) -> None:
    assert sudo.state_of(stderr, "MARK") == state


def test_sudos_messages_are_removed_from_standard_error() -> None:
    assert sudo.clean(LECTURE + b"MARKreal error", "MARK") == b"real error"
    assert sudo.clean(b"no marker", "MARK") == b"no marker"


def test_the_command_line_is_quoted_as_one_word() -> None:
    assert sudo.with_password("printf '%s' \"a b\"", "M").startswith(
        f"env LC_ALL=C sudo -k -S -p {sudo.prompt('M')} -- sh -c "
    )
    assert sudo.without_password("true; rm x") == "sudo -n -- sh -c 'true; rm x'"


def test_the_prompt_is_not_mistaken_for_the_marker() -> None:
    marker = "rancherctl-0123456789abcdef"
    assert sudo.state_of(sudo.prompt(marker).encode(), marker) == "asks"
    assert "%" not in sudo.prompt(marker)


def test_a_refusal_that_quotes_the_command_is_not_mistaken_for_the_marker() -> None:
    marker = "rancherctl-0123456789abcdef"
    words = shlex.split(sudo.with_password("id -u; cat /etc/hostname", marker))[8:]
    refusal = f"Sorry, user ops is not allowed to execute '/usr/bin/{' '.join(words)}' as root on h1.\n"
    assert sudo.state_of(refusal.encode(), marker) == "refused"
    done = subprocess.run(words, capture_output=True, check=True, timeout=10)
    assert (sudo.state_of(done.stderr, marker), sudo.clean(done.stderr, marker)) == ("running", b"")

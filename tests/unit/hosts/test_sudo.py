from __future__ import annotations

import shlex
import subprocess

import pytest

from rancherctl.hosts import sudo

LECTURE = b"\nWe trust you have received the usual lecture from the local System\nAdministrator.\n\n"


@pytest.mark.parametrize(
    ("stderr", "verdict"),
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
def test_what_sudo_says(stderr: bytes, verdict: str) -> None:
    assert sudo.verdict(stderr, "MARK") == verdict


def test_only_the_commands_own_words_are_left() -> None:
    assert sudo.clean(LECTURE + b"MARKreal error", "MARK") == b"real error"
    assert sudo.clean(b"no marker", "MARK") == b"no marker"


def test_the_line_is_one_word_for_the_shell() -> None:
    assert sudo.with_password("printf '%s' \"a b\"", "M").startswith(
        f"LC_ALL=C sudo -k -S -p {sudo.prompt('M')} -- sh -c "
    )
    assert sudo.without_password("true; rm x") == "sudo -n -- sh -c 'true; rm x'"


def test_the_prompt_does_not_look_like_the_commands_own_sign() -> None:
    marker = "rancherctl-0123456789abcdef"
    assert sudo.verdict(sudo.prompt(marker).encode(), marker) == "asks"
    assert "%" not in sudo.prompt(marker)


def test_a_refusal_that_repeats_the_command_is_a_refusal() -> None:
    marker = "rancherctl-0123456789abcdef"
    words = shlex.split(sudo.with_password("id -u; cat /etc/hostname", marker))[7:]
    said = f"Sorry, user ops is not allowed to execute '/usr/bin/{' '.join(words)}' as root on h1.\n"
    assert sudo.verdict(said.encode(), marker) == "refused"
    done = subprocess.run(words, capture_output=True, check=True, timeout=10)
    assert (sudo.verdict(done.stderr, marker), sudo.clean(done.stderr, marker)) == ("running", b"")

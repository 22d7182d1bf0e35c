"""Messages of sudo and of sudo-rs, which some distributions install as sudo."""

import pytest

from rancherctl.hosts import sudo

MARKER = "rancherctl-0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", "waiting"),
        (sudo.prompt(MARKER), "asks"),
        (f"[sudo: {sudo.prompt(MARKER)}] Password: ", "asks"),
        ("[sudo: authenticate] Password: ", "asks"),
        ("Sorry, try again.\n", "wrong"),
        ("sudo: 3 incorrect password attempts\n", "wrong"),
        ("sudo: Authentication failed, try again.\n", "wrong"),
        ("sudo: Maximum 3 incorrect authentication attempts\n", "wrong"),
        ("sudo: interactive authentication is required\n", "wrong"),
        ("sudo: Authentication required but not attempted\n", "wrong"),
        ("sudo-rs: Authentication failed, try again.\n", "wrong"),
        ("sudo-rs: Maximum 3 incorrect authentication attempts\n", "wrong"),
        ("sudo-rs: A terminal is required to authenticate\n", "refused"),
        ("sudo: Account validation failure, is your account locked?\n", "refused"),
        ("sudo: Account or password is expired, reset your password and try again\n", "refused"),
        ("sudo: Sorry, user ops is not allowed to execute '/bin/sh' as root on h1.\n", "refused"),
        ("sudo: Sorry, user ops may not run sudo on h1.\n", "refused"),
        ("ops is not in the sudoers file.\n", "refused"),
        ("sudo: I'm sorry ops. I'm afraid I can't do that\n", "refused"),
        (f"[sudo: authenticate] Password: {MARKER}", "running"),
    ],
)
def test_messages_of_both_sudos_are_recognised(text: str, state: str) -> None:
    assert sudo.state_of(text.encode(), MARKER) == state


def test_the_command_line_suits_login_shells_without_assignments_before_commands() -> None:
    """csh and tcsh read ``LC_ALL=C sudo`` as the name of a program."""
    assert sudo.with_password("true", MARKER).startswith("env LC_ALL=C sudo ")

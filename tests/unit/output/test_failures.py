from __future__ import annotations

from rancherctl.errors import InvalidInputError, PartialError, RancherctlError
from rancherctl.output.failures import error_text


def test_what_why_and_next_have_one_line_each() -> None:
    text = error_text(RancherctlError("h1: no ssh", why="connection\nrefused", hint="is sshd running?"), log="/l")
    assert text == "error: h1: no ssh\n  why:  connection refused\n  next: is sshd running?\n  log:  /l\n"


def test_empty_lines_of_an_error_are_left_out() -> None:
    assert error_text(RancherctlError("broken")) == "error: broken\n"


def test_every_problem_of_a_file_has_its_line() -> None:
    text = error_text(InvalidInputError("bad file", ["f:1:2: a", "f:3:4: b"]))
    assert text.splitlines()[1:] == ["  - f:1:2: a", "  - f:3:4: b"]


def test_every_failed_host_has_its_line_in_order() -> None:
    text = error_text(PartialError("2 of 3 hosts failed", {"h2": "full disk", "h1": "no route"}))
    assert text.splitlines()[1:] == ["  - h1: no route", "  - h2: full disk"]


def test_control_characters_are_made_visible_and_colour_is_only_on_the_word_error() -> None:
    assert error_text(RancherctlError("a\x1b[0mb"), color=True) == "\x1b[31merror:\x1b[0m a\\x1b[0mb\n"


def test_a_host_is_not_named_twice() -> None:
    text = error_text(PartialError("1 of 2 hosts failed", {"h1": "h1: cannot connect"}))
    assert "  - h1: cannot connect\n" in text

"""The one builder of systemd unit texts."""

import pytest

from rancherctl.hosts.unit_text import MULTI_USER, continued, unit_text


def test_sections_are_separated_by_a_blank_line_and_keep_their_order() -> None:
    text = unit_text(
        ("Unit", ("Description=x",)), ("Service", ("# why", "ExecStart=/bin/a", "Environment=")), MULTI_USER
    )
    assert text == (
        "[Unit]\nDescription=x\n\n[Service]\n# why\nExecStart=/bin/a\nEnvironment=\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def test_a_long_command_has_one_word_per_line() -> None:
    assert (
        unit_text(("Service", (f"ExecStart={continued(('/bin/a', '-b'))}",)))
        == "[Service]\nExecStart=/bin/a \\\n  -b\n"
    )


@pytest.mark.parametrize("line", ["A=b\nExecStart=/bin/evil", "A=b\r", "A=b\0", "no directive", "A=b \\\nC=d"])
def test_a_value_cannot_add_another_line(line: str) -> None:
    with pytest.raises(ValueError, match="not a line of a unit"):
        unit_text(("Service", (line,)))

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rancherctl.cli.durations import Duration, parse_duration
from rancherctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("300ms", 0.3),
        ("0", 0),
        (".5s", 0.5),
        ("2h45m30.5s", 9930.5),
        ("+5s", 5),
        ("10μs", 1e-5),
    ],
)
def test_durations_are_parsed_as_in_go(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "++5s",
        "5",
        "5 m",
        "m",
        "-5s",
        "5d",
        "1h 30m",
        "\u0665s",
        "1e3s",
        "5ss",
        "2562048h",
        f"{'9' * 400}h",
        f"{'9' * 5000}s",
    ],
)
def test_an_invalid_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert "90s" in caught.value.hint


def test_a_number_without_a_unit_is_reported_as_such() -> None:
    with pytest.raises(UsageError, match="missing unit"):
        parse_duration("90")


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_the_parts_of_a_duration_are_added(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds


@given(st.integers(0, 10**6))
def test_a_printed_duration_parses_to_itself(seconds: int) -> None:
    assert parse_duration(str(Duration(seconds))) == seconds

"""YAML documents: untrusted ones are bounded, written ones read back equal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rancherctl.credentials import documents
from rancherctl.errors import UsageError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (BOMB.encode(), "aliases expand to"),
        (b"a: &a {b: *a}\n", "contains itself"),
        (b"x" * (documents.LARGEST + 1), "too large"),
        (b"a: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        (b"[" * 5_000, "not valid YAML"),
        (b"\xff\xfe\xff", "not valid YAML"),
    ],
)
def test_oversized_and_malicious_yaml_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        documents.load_first(data, "file")


def test_yaml_errors_name_line_and_column() -> None:
    with pytest.raises(UsageError, match="file:2:"):
        documents.load_first(b"a: 1\n b: [\n", "file")


odd = [
    "y",
    "n",
    "no",
    "on",
    "1e3",
    "0x1f",
    "12:34",
    "2020-01-01",
    "null",
    "~",
    "",
    " x",
    "a: b",
    "#x",
    "é",
    "0755",
    "1_000",
    "=",
    "<<",
]


tricky = st.sampled_from(odd)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5) | tricky,
        tricky | st.text(max_size=8) | st.integers() | st.booleans() | st.none(),
        max_size=5,
    )
)
def test_written_yaml_reads_back_equal(value: dict[str, Any]) -> None:
    assert documents.load_first(documents.dump(value), "x")[0] == value

"""Any cut of the input gives the same lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rancherctl.kube.http.framing import Dechunker, FramingError, Lines


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    out, i = [], 0
    for size in sizes:
        out.append(data[i : i + size])
        i += size
    return [*out, data[i:]]


lines = st.lists(st.binary(min_size=1, max_size=40).filter(lambda b: b"\n" not in b and b.strip()), max_size=12)
sizes = st.lists(st.integers(0, 25), max_size=60)


@settings(deadline=None)
@given(lines, sizes)
def test_lines_do_not_depend_on_the_cuts(wanted: list[bytes], at: list[int]) -> None:
    splitter = Lines()
    got = [line for piece in cut(b"".join(w + b"\n" for w in wanted), at) for line in splitter.feed(piece)]
    assert got == wanted
    assert not splitter.pending


@settings(deadline=None)
@given(lines, sizes, st.sampled_from([b"", b";ext=1"]))
def test_chunks_do_not_depend_on_the_cuts(payload: list[bytes], at: list[int], extension: bytes) -> None:
    wire = b"".join(b"%x%s\r\n%s\r\n" % (len(p), extension, p) for p in payload) + b"0\r\n\r\n"
    decoder = Dechunker()
    assert b"".join(decoder.feed(piece) for piece in cut(wire, at)) == b"".join(payload)
    assert decoder.ended


@pytest.mark.parametrize("bad", [b"zz\r\n", b"-5\r\n", b"1" * 5000, b"3\r\nabcdef\r\n"])
def test_an_invalid_chunk_is_refused(bad: bytes) -> None:
    with pytest.raises(FramingError):
        Dechunker().feed(bad)


def test_a_line_without_an_end_stays_pending() -> None:
    splitter = Lines()
    assert splitter.feed(b'{"a"') == []
    assert splitter.pending
    assert splitter.feed(b":1}\n\n") == [b'{"a":1}']

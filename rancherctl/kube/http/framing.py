"""Split the bytes of a watch into JSON lines: chunked decoding that accepts input cut anywhere. Pure: no I/O."""

from __future__ import annotations

LONGEST_CHUNK_HEADER = 4096
"""A chunk's size line is a few digits; more than this is not HTTP."""


class FramingError(ValueError):
    """The input is not what the protocol allows."""


class Dechunker:
    """Decodes ``Transfer-Encoding: chunked`` (RFC 9112 section 7.1), fed with pieces of any size."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._after_chunk = False
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """The payload in ``data``; ``ended`` becomes True at the last chunk (trailers are not read)."""
        out: list[bytes] = []
        position, size = 0, len(data)
        while position < size and not self.ended:
            if self._left:
                piece = data[position : position + self._left]
                out.append(piece)
                position += len(piece)
                self._left -= len(piece)
                self._after_chunk = self._left == 0
                continue
            newline = data.find(b"\n", position)
            stop = size if newline < 0 else newline + 1
            self._head += data[position:stop]
            position = stop
            if newline >= 0:
                self._line()
            elif len(self._head) > LONGEST_CHUNK_HEADER:
                raise FramingError("the size line of a chunk does not end")
        return b"".join(out)

    def _line(self) -> None:
        text, self._head = self._head.split(b";", 1)[0].strip(), b""
        if self._after_chunk:
            if text:
                raise FramingError("a chunk is longer than its size line says")
            self._after_chunk = False
            return
        try:
            self._left = int(text, 16)
        except ValueError as e:
            raise FramingError(f"not the size of a chunk: {text[:20]!r}") from e
        if self._left < 0:
            raise FramingError("a chunk with a negative size")
        self.ended = self._left == 0


class Lines:
    """Splits a byte stream at newlines; a line may be of any size. Work is linear in the input."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """All lines that end within ``data``, without their newline, empty ones left out."""
        head, newline, rest = data.partition(b"\n")
        self._parts.append(head)
        if not newline:
            return []
        whole = b"".join(self._parts)
        *lines, last = rest.split(b"\n")
        self._parts = [last] if last else []
        return [line for line in (whole, *lines) if line.strip()]

    @property
    def pending(self) -> bool:
        """Whether part of a line is waiting for its end."""
        return any(self._parts)

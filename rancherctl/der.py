"""Read DER, the encoding of certificates and certificate requests (X.690). Pure.

Strict: an element that is longer than announced or has an unexpected type is a ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

OCTETS: Final = 0x04
OID: Final = 0x06
UTC_TIME: Final = 0x17
GENERAL_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its tag and its content."""

    tag: int
    data: bytes

    def all(self) -> list[Node]:
        """The elements in it."""
        return list(nodes(self.data))

    def first(self) -> Node:
        """The first element in it; ValueError if there is none."""
        found = next(nodes(self.data), None)
        if found is None:
            raise ValueError("an empty element")
        return found

    def expect(self, *tags: int) -> Node:
        """This element; ValueError if it has none of these tags."""
        if self.tag not in tags:
            raise ValueError(f"type {self.tag:#x} where {' or '.join(f'{tag:#x}' for tag in tags)} was expected")
        return self


def nodes(data: bytes) -> Iterator[Node]:
    """The elements that follow each other in ``data``."""
    at = 0
    while at < len(data):
        if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
            raise ValueError("not DER")
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size & 0x7F
            if not 1 <= count <= 3 or at + count > len(data):
                raise ValueError("not DER: invalid length")
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + size > len(data):
            raise ValueError("not DER: truncated")
        yield Node(tag, data[at : at + size])
        at += size


def exactly(found: Iterator[Node], count: int, what: str) -> list[Node]:
    """So many elements; ValueError for another number of ``what``."""
    every = list(found)
    if len(every) != count:
        raise ValueError(f"{len(every)} {what}, {count} expected")
    return every

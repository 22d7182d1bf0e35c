"""Answers of a DNS server, as bytes."""

from __future__ import annotations


def dns_answer(query: bytes, *records: tuple[int, bytes], code: int = 0) -> bytes:
    """The answer to ``query``; ``records`` are (type, data)."""
    body = b"".join(
        b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\5" + len(data).to_bytes(2, "big") + data
        for kind, data in records
    )
    return (
        query[:2]
        + (0x8180 | code).to_bytes(2, "big")
        + b"\0\1"
        + len(records).to_bytes(2, "big")
        + b"\0\0\0\0"
        + query[12:]
        + body
    )

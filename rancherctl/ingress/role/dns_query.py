"""A minimal DNS client: one query to one server, by UDP, then TCP if truncated.

The system's resolver cannot be used: names behind ExternalName Services may be names of the cluster, which it need not
know. Sources: RFC 1035, RFC 3596.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from ipaddress import ip_address

A, AAAA = 1, 28
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_MAX = 65535
_TRUNCATED, _NO_SUCH_NAME = 0x0200, 3


class AnswerError(OSError):
    """The server answered with an error, or its answer is invalid."""


def question(name: str, kind: int, number: int) -> bytes:
    """Encode a query for ``name`` with recursion desired. Raises ValueError if ``name`` is not a DNS name."""
    labels = name.rstrip(".").encode("ascii").split(b".")
    if not all(0 < len(label) < 64 for label in labels) or sum(map(len, labels)) + len(labels) > 254:
        raise ValueError(f"{name!a} is not a DNS name")
    encoded = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(number, 0x0100, 1, 0, 0, 0) + encoded + struct.pack("!HH", kind, 1)


def _skip_name(data: bytes, at: int) -> int:
    while True:
        length = data[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if not length:
            return at


def addresses(data: bytes, number: int, kind: int) -> tuple[str, ...]:
    """The addresses in an answer; () if the name does not exist or has none.

    Raises AnswerError for an error code, for the answer to another query, and for invalid data.
    """
    try:
        have, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
        if have != number or not flags & 0x8000:
            raise AnswerError("the answer belongs to another query")
        if flags & 0xF == _NO_SUCH_NAME:
            return ()
        if flags & 0xF:
            raise AnswerError(f"the server answered with error code {flags & 0xF}")
        at = _HEADER.size
        for _ in range(questions):
            at = _skip_name(data, at) + 4
        found: list[str] = []
        for _ in range(answers):
            at = _skip_name(data, at)
            got, _, _, size = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            if got == kind and size == (4 if kind == A else 16):
                found.append(str(ip_address(data[at : at + size])))
            at += size
    except (struct.error, IndexError, ValueError) as error:
        raise AnswerError(f"the answer is invalid: {error}") from error
    return tuple(sorted(found))


def lookup(name: str, server: str, *, port: int = 53, timeout: float = 2.0) -> tuple[str, ...]:
    """Look up IPv4 addresses, or IPv6 addresses if there are none.

    Two tries within ``timeout`` seconds for each family.

    Raises OSError (AnswerError, TimeoutError …).
    """
    return _lookup(name, A, server, port, timeout) or _lookup(name, AAAA, server, port, timeout)


def _lookup(name: str, kind: int, server: str, port: int, timeout: float) -> tuple[str, ...]:
    number = secrets.randbelow(65536)
    query = question(name, kind, number)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.connect((server, port))
        deadline = time.monotonic() + timeout
        for share in (0.5, 1.0):
            connection.send(query)
            connection.settimeout(max(0.05, (deadline - time.monotonic()) * share))
            try:
                answer = connection.recv(_MAX)
            except TimeoutError:
                continue
            if len(answer) > 3 and int.from_bytes(answer[2:4], "big") & _TRUNCATED:
                answer = _over_tcp(query, server, port, timeout)
            return addresses(answer, number, kind)
    raise TimeoutError(f"{server} did not answer for {name} within {timeout:g} s")


def _over_tcp(query: bytes, server: str, port: int, timeout: float) -> bytes:
    """Read the whole answer within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    with socket.create_connection((server, port), timeout) as connection:
        connection.sendall(len(query).to_bytes(2, "big") + query)
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{server} did not send its whole answer within {timeout:g} s")
            connection.settimeout(left)
            piece = connection.recv(_MAX)
            if not piece:
                raise AnswerError("the connection closed before the end of the answer")
            data += piece
    return data[2:]

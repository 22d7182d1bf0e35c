"""A small HTTP/2 client: requests one after the other on one connection.

The standard library has none, and a process for each request would be slow. It encodes and decodes only what HAProxy
sends: header fields without Huffman codes and without a dynamic table.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY, _RST = 0, 1, 4, 6, 7, 3
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_INDEXED = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
_NAMES = {8: ":status", 26: "content-encoding", 28: "content-length", 31: "content-type", 33: "date", 46: "location"}
_NAMES |= {54: "server", 55: "set-cookie", 20: "access-control-allow-origin", 53: "retry-after", 24: "cache-control"}


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def answer(self) -> str:
        """The name of the pod that answered, or the status."""
        return json.loads(self.body)["pod"] if self.status == 200 else str(self.status)


class NotProcessedError(ConnectionError):
    """The request may be sent again over another connection (RFC 9113, 6.8)."""


class H2Connection:
    """An HTTP/2 connection over an open socket; the server must expect HTTP/2 (by prior knowledge, or by ALPN)."""

    def __init__(self, stream: socket.socket) -> None:
        self._socket = stream
        self._reader = stream.makefile("rb")
        self._next = 1
        self.closing = False
        """The server has said that it answers no request after the present one."""
        stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b""))

    def get(
        self,
        authority: str,
        target: str,
        scheme: str = "http",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Response:
        """Send a request and read its response. Bodies have at most 16 KB."""
        stream, self._next = self._next, self._next + 2
        fields = {":method": method, ":scheme": scheme, ":authority": authority, ":path": target} | dict(headers or {})
        fields |= {} if body is None else {"content-length": str(len(body))}
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())
        last = _END_STREAM if body is None else 0
        data = b"" if body is None else _frame(_DATA, _END_STREAM, stream, body)
        self._socket.sendall(_frame(_HEADERS, last | _END_HEADERS, stream, block) + data)
        found, body, ended = dict[str, str](), b"", False
        while not ended:
            kind, flags, number, payload = self._read()
            if kind == _SETTINGS and not flags & _ACK:
                self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                self._socket.sendall(_frame(_PING, _ACK, 0, payload))
            elif kind == _GOAWAY and struct.unpack(">I", payload[:4])[0] & 0x7FFFFFFF >= stream:
                self.closing = True
            elif kind == _GOAWAY:
                raise NotProcessedError("the server ended the connection before it read this request")
            elif kind == _RST and number == stream:
                raise ConnectionError(f"HTTP/2 frame of type {kind}: {payload!r}")
            elif number == stream and kind == _HEADERS:
                found = _fields(payload)
                ended = bool(flags & _END_STREAM)
            elif number == stream and kind == _DATA:
                body += payload
                ended = bool(flags & _END_STREAM)
        return Response(int(found.pop(":status")), found, body)

    def _read(self) -> tuple[int, int, int, bytes]:
        head = self._reader.read(9)
        if len(head) < 9:
            raise ConnectionError("the connection ended")
        return head[3], head[4], struct.unpack(">I", head[5:])[0], self._reader.read(int.from_bytes(head[:3], "big"))

    def close(self) -> None:
        self._reader.close()
        self._socket.close()


def cleartext(port: int, source: str = "127.0.0.1") -> H2Connection:
    """HTTP/2 without TLS, by prior knowledge."""
    return H2Connection(socket.create_connection(("127.0.0.1", port), 20, (source, 0)))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _text(text: str) -> bytes:
    """A string literal: its length with a 7-bit prefix (RFC 7541, 5.1), and its bytes."""
    data, length = text.encode("ascii"), len(text)
    if length < 127:
        return bytes((length,)) + data
    out, length = b"\x7f", length - 127
    while length >= 128:
        out, length = out + bytes((length % 128 + 128,)), length // 128
    return out + bytes((length,)) + data


def _fields(block: bytes) -> dict[str, str]:
    out: dict[str, str] = {}
    at = 0

    def integer(bits: int) -> int:
        nonlocal at
        value = block[at] & ((1 << bits) - 1)
        at += 1
        if value == (1 << bits) - 1:
            shift = 0
            while True:
                value += (block[at] & 127) << shift
                shift, at = shift + 7, at + 1
                if not block[at - 1] & 128:
                    break
        return value

    def text() -> str:
        nonlocal at
        assert not block[at] & 128, "Huffman code"
        length = integer(7)
        at += length
        return block[at - length : at].decode("latin-1")

    while at < len(block):
        first = block[at]
        if first & 128:
            index = integer(7)
            out[":status"] = str(_INDEXED[index])
        elif first & 0xE0 == 0x20:  # size of the dynamic table
            integer(5)
        else:
            index = integer(6 if first & 64 else 4)
            name = _NAMES.get(index, f"static-{index}") if index else text()
            out[name] = text()
    return out

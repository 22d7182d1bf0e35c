"""A persistent TCP connection to the server on this host: signs messages, checks answers, limits every wait.

Raises UnreachableError (no connection) and OutcomeUnknownError (sent but not answered: it may have been applied).
"""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rancherctl.dns.wire import Update, read_answer
from rancherctl.errors import RancherctlError, UnreachableError

if TYPE_CHECKING:
    import dns.message
    import dns.tsig

KEY_NAME = "rancherctl"
RECEIVE = 1 << 16
"""Octets that are received at once."""
_KEY_HINT = "remove the file, then run: systemctl restart rancherctl-dns (it creates a new key)"
_SECRET = re.compile(r'secret\s+"([A-Za-z0-9+/=]+)"')


class OutcomeUnknownError(UnreachableError):
    """A message was sent but not answered: read the server's state before sending anything else."""


class DnsProtocolError(RancherctlError):
    """The server's answer is malformed, or the server refused a request that it must accept."""

    retryable = True


def read_key(path: str) -> dns.tsig.Key:
    """Read the TSIG key from a file written by ``tsig-keygen``."""
    import dns.tsig

    try:
        found = _SECRET.search(Path(path).read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise RancherctlError(f"cannot read the key for DNS updates {path}", why=str(error), hint=_KEY_HINT) from error
    if found is None:
        raise RancherctlError(f"no key for DNS updates in {path}", hint=_KEY_HINT)
    return dns.tsig.Key(KEY_NAME, found[1], "hmac-sha256")


class Channel:
    """A connection that opens on demand. Not thread-safe.

    ``generation`` grows with every new connection, so callers notice a restarted server.
    """

    def __init__(self, port: int, key_file: str, *, host: str = "127.0.0.1", timeout: float = 3.0) -> None:
        self.generation = 0
        self.timeout = timeout
        self._address = (host, port)
        self._key_file = key_file
        self._key: dns.tsig.Key | None = None
        self._socket: socket.socket | None = None
        self._received = bytearray()
        self._number = int.from_bytes(os.urandom(2))

    @property
    def key(self) -> dns.tsig.Key:
        """The key; read again after every new connection."""
        if self._key is None:
            self._key = read_key(self._key_file)
        return self._key

    def close(self) -> None:
        """Close the connection; the next message opens a new one."""
        self._received.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, wire: bytes) -> None:
        """Send one message; reconnects first if the server has closed the connection."""
        if self._socket is not None and self._closed():
            self.close()
        if self._socket is None:
            self._connect()
        assert self._socket is not None
        try:
            self._socket.settimeout(self.timeout)
            self._socket.sendall(struct.pack("!H", len(wire)) + wire)
        except OSError as error:
            self.close()
            raise OutcomeUnknownError(f"DNS server on {self._name}: sending failed", why=str(error)) from error

    def receive(self, timeout: float | None = None) -> bytes:
        """Receive the next message; the whole of it must arrive within ``timeout`` seconds."""
        deadline = time.monotonic() + (timeout or self.timeout)
        self._fill(2, deadline)
        size = 2 + int.from_bytes(self._received[:2])
        self._fill(size, deadline)
        message = bytes(self._received[2:size])
        del self._received[:size]
        return message

    def update(self, message: Update, *, timeout: float) -> str:
        """Sign and send an update; returns the verified answer's code (``NOERROR`` = applied and on disk)."""
        import dns.rcode

        # The message number need not be unpredictable: the answer is signed over the request.
        self._number = (self._number + 1) & 0xFFFF
        signed = message.sign(KEY_NAME, self.key.secret, number=self._number, now=int(time.time()))
        self.send(signed.wire)
        wire, key = self.receive(timeout), self.key
        code = read_answer(wire, signed, KEY_NAME, key.secret, now=int(time.time()))
        if code is None:
            code = self._parse(wire, signed.number, {key.name: key}, signed.mac).rcode()
        return dns.rcode.to_text(dns.rcode.Rcode(code))

    def exchange(self, message: dns.message.Message, *, timeout: float | None = None) -> dns.message.Message:
        """Send a message and return its answer; verifies the answer's signature if the message was signed."""
        self.send(message.to_wire(max_size=65535))
        return self._parse(self.receive(timeout), message.id, message.keyring, message.mac or b"")

    def _parse(self, wire: bytes, number: int, keyring: Any, mac: bytes) -> dns.message.Message:
        import dns.exception
        import dns.message

        try:
            answer = dns.message.from_wire(wire, keyring=keyring, request_mac=mac, ignore_trailing=True)
        except (dns.exception.DNSException, struct.error) as error:
            self.close()
            raise DnsProtocolError(
                f"DNS server on {self._name}: bad answer", why=str(error) or type(error).__name__
            ) from error
        if answer.id != number or (mac and not answer.had_tsig):
            self.close()
            raise DnsProtocolError(f"DNS server on {self._name}: the answer belongs to another question")
        return answer

    @property
    def _name(self) -> str:
        return f"{self._address[0]}:{self._address[1]}"

    def _connect(self) -> None:
        try:
            self._socket = socket.create_connection(self._address, timeout=self.timeout)
        except OSError as error:
            raise UnreachableError(
                f"DNS server on {self._name} does not accept connections",
                why=error.strerror or str(error),
                hint="systemctl status rancherctl-dns",
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.generation += 1
        self._key = None

    def _closed(self) -> bool:
        assert self._socket is not None
        if self._received:
            return True
        try:
            self._socket.setblocking(False)
            # No answer is outstanding: readable means end of stream or an answer that arrived after its time limit.
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _fill(self, size: int, deadline: float) -> None:
        """Receive until ``size`` octets are there. Few calls: after each, the thread waits for the interpreter."""
        assert self._socket is not None
        try:
            while len(self._received) < size:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("time limit")
                self._socket.settimeout(left)
                part = self._socket.recv(RECEIVE)
                if not part:
                    raise ConnectionError("the server closed the connection")
                self._received += part
        except OSError as error:
            self.close()
            raise OutcomeUnknownError(
                f"DNS server on {self._name}: no answer", why=str(error) or type(error).__name__
            ) from error

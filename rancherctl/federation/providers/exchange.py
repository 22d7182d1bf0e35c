"""Signed messages to the DNS servers of a zone over TCP, with time limits, and their errors in words."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from rancherctl.errors import AuthError, RancherctlError, UnreachableError
from rancherctl.federation.providers.faults import Server, ServerError, UnansweredError, clock_error, words
from rancherctl.federation.providers.tsig import TsigKey

if TYPE_CHECKING:
    import dns.message

TIMEOUT: Final = 5.0
"""Seconds for a connection, and for each answer."""


class Exchange:
    """One TCP connection to one server for one purpose; closed by ``close``. Not thread-safe."""

    def __init__(self, server: Server, key: TsigKey | None, *, timeout: float = TIMEOUT) -> None:
        self.server, self._timeout = server, timeout
        self._key = key
        self._socket: socket.socket | None = None

    def __enter__(self) -> Exchange:
        try:
            self._socket = socket.create_connection((self.server.host, self.server.port), timeout=self._timeout)
        except OSError as error:
            raise UnreachableError(
                f"DNS server {self.server} does not accept connections on TCP port {self.server.port}",
                why=words(error),
                hint="check that the server runs and that firewalls allow TCP from the federation's hosts",
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def sign(self, message: dns.message.Message) -> None:
        """Sign a message with the key, if there is one."""
        if self._key is not None:
            import dns.name
            import dns.tsig

            name = dns.name.from_text(f"{self._key.name}.")
            message.use_tsig(dns.tsig.Key(name, self._key.secret, self._key.algorithm), fudge=300)

    def ask(self, message: dns.message.Message) -> dns.message.Message:
        """Send one message and return its verified answer."""
        self.sign(message)
        wire = message.to_wire(max_size=65535)
        self.send(wire)
        return self.parse(self.receive(), message)

    def ask_all(self, messages: Sequence[dns.message.Message], window: int = 64) -> Iterator[dns.message.Message]:
        """Send many messages, at most ``window`` ahead of their answers; yields the answers in the order asked."""
        sent = 0
        answers: dict[int, dns.message.Message] = {}
        asked: dict[int, dns.message.Message] = {}
        for number, message in enumerate(messages):
            while sent < len(messages) and sent < number + window:
                messages[sent].id = sent & 0xFFFF
                self.sign(messages[sent])
                asked[messages[sent].id] = messages[sent]
                self.send(messages[sent].to_wire(max_size=65535))
                sent += 1
            while message.id not in answers:
                wire = self.receive()
                identity = struct.unpack("!H", wire[:2])[0] if len(wire) > 2 else -1
                if identity not in asked:
                    raise ServerError(f"DNS server {self.server}: an answer belongs to another question")
                answers[identity] = self.parse(wire, asked.pop(identity))
            yield answers.pop(message.id)

    def send(self, wire: bytes) -> None:
        """Send the octets of a message."""
        assert self._socket is not None
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(struct.pack("!H", len(wire)) + wire)
        except OSError as error:
            raise UnansweredError(f"DNS server {self.server} closed the connection", why=words(error)) from error

    def receive(self) -> bytes:
        """The octets of the next message; the whole of it must arrive in time."""
        deadline = time.monotonic() + self._timeout
        return self._read(struct.unpack("!H", self._read(2, deadline))[0], deadline)

    def parse(
        self, wire: bytes, question: dns.message.Message, *, transfer: bool = False, context: Any = None
    ) -> dns.message.Message:
        """Read an answer and verify its signature; ``context`` is that of the message before in a transfer."""
        import dns.exception
        import dns.message
        import dns.tsig

        try:
            answer = dns.message.from_wire(
                wire,
                keyring=question.keyring,
                request_mac=question.mac or b"",
                ignore_trailing=True,
                xfr=transfer,
                multi=transfer,
                tsig_ctx=context,
            )
        except dns.tsig.PeerError as error:
            raise self._refused_key(error) from error
        except dns.tsig.BadSignature as error:
            raise AuthError(
                f"the answer of DNS server {self.server} has a wrong signature", hint=self._key_hint()
            ) from error
        except dns.tsig.BadTime as error:
            raise clock_error(self.server) from error
        except (dns.exception.DNSException, struct.error, ValueError) as error:
            raise ServerError(
                f"DNS server {self.server}: bad answer", why=str(error) or type(error).__name__
            ) from error
        if answer.id != question.id:
            raise ServerError(f"DNS server {self.server}: the answer belongs to another question")
        return answer

    def _refused_key(self, error: Exception) -> RancherctlError:
        import dns.tsig

        name = self._key.name if self._key else ""
        if isinstance(error, dns.tsig.PeerBadTime):
            return clock_error(self.server)
        if isinstance(error, dns.tsig.PeerBadKey):
            why = f"it has no key named {name} with the algorithm {self._key.algorithm if self._key else ''}"
        elif isinstance(error, dns.tsig.PeerBadSignature):
            why = f"the secret of key {name} is not the server's"
        else:
            why = str(error) or type(error).__name__
        return AuthError(f"DNS server {self.server} refuses the TSIG key {name}", why=why, hint=self._key_hint())

    def _key_hint(self) -> str:
        name = self._key.name if self._key else "NAME"
        return f"compare key {name} in the server's configuration with the Secret rancherctl-federation/dns-provider"

    def _read(self, size: int, deadline: float) -> bytes:
        assert self._socket is not None
        parts = bytearray()
        try:
            while len(parts) < size:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"nothing within {self._timeout:g} s")
                self._socket.settimeout(left)
                part = self._socket.recv(size - len(parts))
                if not part:
                    raise ConnectionError("the server closed the connection")
                parts += part
        except OSError as error:
            raise UnansweredError(f"DNS server {self.server} did not answer", why=words(error)) from error
        return bytes(parts)

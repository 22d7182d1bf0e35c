"""Clients that send requests over HTTPS at a bounded rate, with HTTP/1.1 and HTTP/2, while something changes."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from tests.fakes import tls
from tests.fakes.h2 import H2Connection, NotProcessedError

HTTPS = 443
PER_CONNECTION = 20
"""Requests before a client opens another connection: handshakes are part of the load."""


class TlsClients:
    """Two threads for each address, one for each version of HTTP. Each sends ``rate`` requests a second at most.

    ``bad`` are failures with the address. HAProxy may end a connection after any answer; a request on it that was not
    read is sent again, as browsers do.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        host: str,
        rate: float = 25.0,
        port: int = HTTPS,
        *,
        per_connection: int = PER_CONNECTION,
    ) -> None:
        self.good, self.bad = 0, list[str]()
        self._per_connection = per_connection
        self._host, self._port, self._pause = host, port, 1 / rate
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(address, client))
            for address in addresses
            for client in (self._http1, self._http2)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, number: int, *, failures: int = 0) -> None:
        """Wait until so many more requests were answered, or more than ``failures`` failed since the beginning."""
        seen = self.good
        while self.good < seen + number and len(self.bad) <= failures:
            self._ended.wait(0.02)

    def _run(self, address: str, client: Callable[[str], None]) -> None:
        while not self._ended.is_set():
            try:
                client(address)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.bad.append(f"{time.strftime('%X')} {address} {client.__name__}: {error!r}")
                self._ended.wait(self._pause)

    def _count(self, address: str, status: int) -> bool:
        """Count an answer, and wait before the next request; whether there is one."""
        with self._lock:
            self.good += status == 200
        if status != 200:
            self.bad.append(f"{time.strftime('%X')} {address}: {status}")
        return not self._ended.wait(self._pause)

    def _http1(self, address: str) -> None:
        connection = http.client.HTTPConnection(address, self._port, timeout=30)
        connection.sock = tls.connect(self._port, self._host, address=address)
        try:
            for _ in range(self._per_connection):
                connection.request("GET", "/", headers={"Host": self._host})
                response = connection.getresponse()
                response.read()
                if not self._count(address, response.status) or connection.sock is None:
                    return
        finally:
            connection.close()

    def _http2(self, address: str) -> None:
        stream = tls.connect(self._port, self._host, alpn=("h2",), address=address)
        stream.settimeout(30)
        connection = H2Connection(stream)
        try:
            for _ in range(self._per_connection):
                try:
                    status = connection.get(self._host, "/", "https").status
                except NotProcessedError:
                    return
                if not self._count(address, status) or connection.closing:
                    return
        finally:
            connection.close()

"""Clients that send requests through a real HAProxy while something changes."""

from __future__ import annotations

import http.client
import threading

from tests.fakes.ingress import Haproxy


class Clients:
    """Threads that send requests all the time, half of them over kept connections, and count answers other than 200.

    A site that redirects to HTTPS answers with 308.
    """

    def __init__(
        self, haproxy: Haproxy, threads: int = 4, *, host: str = "foo.bar.com", path: str = "/foo", status: int = 200
    ) -> None:
        self._host, self._path, self._status = host, path, status
        self.haproxy, self.good, self.bad, self.stopping = haproxy, 0, list[str](), threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(n % 2 == 0,)) for n in range(threads)]

    def send(self, kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.haproxy.port, timeout=60)
        while not self.stopping.is_set():
            try:
                connection.request("GET", self._path, headers={"Host": self._host})
                response = connection.getresponse()
                response.read()
                if response.status == self._status:
                    self.good += 1
                else:
                    self.bad.append(str(response.status))
            except (OSError, http.client.HTTPException) as error:
                self.bad.append(repr(error))
            # A worker that ends sends "Connection: close" with its last answer; http.client then reconnects.
            if not kept:
                connection.close()
        connection.close()

    def wait_for(self, number: int) -> None:
        """Wait until so many more requests were answered, or one failed."""
        seen = self.good
        while self.good < seen + number and not self.bad:
            self.stopping.wait(0.01)

    def __enter__(self) -> Clients:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

"""kill -9 of the server at random moments under updates: no acknowledged change is lost, no set is seen in part."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from rancherctl.dns.reconcile import DnsRole
from rancherctl.errors import RancherctlError
from tests.fakes.dns_tables import World, endpoint, endpoint_slice, service
from tests.fakes.named import Named


def values(server: Named, name: str) -> list[str] | None:
    """The addresses of a name; None while the server does not answer or has not loaded the zone."""
    with contextlib.suppress(dns.exception.Timeout, OSError):
        query = dns.message.make_query(name, "A")
        # A server that was slow to start answers questions that were given up: such an answer may meet a later
        # question at the same port.
        answer = dns.query.udp(query, "127.0.0.1", port=server.config.port, timeout=0.5, ignore_errors=True)
        if answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return sorted(r.to_text() for s in answer.answer for r in s)
    return None


class Stream:
    """Moves one headless Service after the other to new addresses, three each, as fast as the server accepts them."""

    def __init__(self, role: DnsRole) -> None:
        self.acknowledged: dict[str, int] = {}
        self.sent: dict[str, int] = {}
        self._role, self._world, self._stop = role, World(), threading.Event()
        self._more = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            name, generation = f"s{number % 40}", number // 40
            self.sent[name] = generation
            self._world.add(
                service(name, "None"), endpoint_slice(name, [endpoint(a) for a in addresses(number % 40, generation)])
            )
            snapshot = self._world.snapshot()
            while not self._stop.is_set():
                with contextlib.suppress(RancherctlError):
                    section = self._role.reconcile(snapshot)
                    if section["synced"] and not section["metrics"]["pending"]:
                        self.acknowledged[name] = generation
                        self._more.release()
                        break
                time.sleep(0.02)
            number += 1

    def wait_for(self, count: int) -> None:
        """Until so many more changes are acknowledged."""
        assert all(self._more.acquire(timeout=120) for _ in range(count))

    def stop(self) -> None:
        """End after the change under way."""
        self._stop.set()
        self._thread.join(120)


def addresses(service_number: int, generation: int) -> list[str]:
    return sorted(f"10.42.{service_number}.{(generation * 3 + part) % 250 + 1}" for part in range(3))


def check(server: Named, stream: Stream, acknowledged: dict[str, int]) -> None:
    """Every acknowledged generation, or a later one that was sent, whole."""
    for name, generation in acknowledged.items():
        deadline = time.monotonic() + 120
        while (found := values(server, f"{name}.default.svc.cluster.local")) is None:
            assert time.monotonic() < deadline, server.log()[-2000:]
            time.sleep(0.02)
        allowed = [addresses(int(name[1:]), g) for g in range(generation, stream.sent[name] + 1)]
        assert found in allowed, (name, generation, found)


def rounds(server: Named, count: int) -> None:
    role = DnsRole(server.config, server, probe=False)
    stream = Stream(role)
    choose = random.Random(7)
    try:
        for _ in range(count):
            stream.wait_for(2)
            time.sleep(choose.uniform(0.0, 0.5))  # a kill at any moment is what this is about
            acknowledged = dict(stream.acknowledged)
            server.kill()
            server.start()
            check(server, stream, acknowledged)
    finally:
        stream.stop()
        role.stop()
    assert len(stream.acknowledged) > 5


@pytest.mark.parametrize("count", [5, pytest.param(200, marks=pytest.mark.slow)])
def test_no_acknowledged_update_is_lost(tmp_path: Path, count: int) -> None:
    server = Named(tmp_path)
    server.start()
    try:
        rounds(server, count)
    finally:
        server.stop()

"""A load balancer with thousands of sites, each with a certificate of its own and two intermediates."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rancherctl.contract import host_namespace
from rancherctl.ingress.copies import copy_name
from rancherctl.ingress.role.config import LbConfig
from rancherctl.ingress.role.reconcile import LbRole
from rancherctl.kube.snapshot import Table
from tests.fakes import ingress as fake
from tests.fakes import tls
from tests.fakes.ingress_host import AT_ONCE

DESCRIPTORS = 20_000


class Endpoint:
    """A web server in a process of its own: HAProxy checks thousands of servers, at no cost to the measured process."""

    def __init__(self, folder: Path) -> None:
        self.address = ("127.0.0.1", fake.free_port())
        config = folder / "endpoint.cfg"
        head = "global\n  maxconn 4000\ndefaults\n  mode http\n  timeout client 9s\n"
        answer = 'http-request return status 200 content-type application/json string {\\"pod\\":\\"w1\\"}'
        config.write_text(f"{head}frontend pod\n  bind 127.0.0.1:{self.address[1]}\n  {answer}\n")
        self._process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class ManySites:
    """Sites 0 to ``count`` - 1; further ones can be added. ``follow`` reconciles with the state of ``snapshot``."""

    def __init__(self, folder: Path, count: int, more: int = 50) -> None:
        self.haproxy = fake.Haproxy(folder)
        self.haproxy.paths = replace(self.haproxy.paths, descriptors=DESCRIPTORS)
        self.count = count
        self._authority = tls.Authority()
        self._intermediates = b"".join(self._authority.issue(f"intermediate-{n}").certificate for n in range(2))
        self._endpoint = Endpoint(folder)
        numbers = range(count + more + 1)
        self.snapshot = fake.snapshot(
            [ingress(n) for n in range(count)],
            [fake.service(f"s{n}") for n in numbers],
            [fake.endpoint_slice(f"s{n}", [self._endpoint.address]) for n in numbers],
            copies=[self.issue(n).copy(f"t{n}") for n in range(count)],
        )
        self.role = self.new_role()

    def new_role(self) -> LbRole:
        """Restart the agent; it reads what is on disk."""
        config = LbConfig("h1", self.haproxy.all_listeners, paths=self.haproxy.paths, reloads=AT_ONCE, save_after=0.0)
        self.role = LbRole(config, driver=self.haproxy.driver())
        return self.role

    def issue(self, number: int) -> tls.Pair:
        """A new certificate for a site."""
        pair = self._authority.issue(name(number))
        return tls.Pair(pair.certificate + self._intermediates, pair.key, pair.serial)

    def change(self, table: str, *items: Any, gone: tuple[str, ...] = ()) -> None:
        """Replace, add and remove objects, as the watch cache does."""
        old = self.snapshot.table(table).items
        kept = {key: item for key, item in old.items() if key not in gone}
        new = Table({**kept, **{item.meta.key: item for item in items}}, synced=True, healthy=True)
        tables = {**self.snapshot.tables, table: new}
        self.snapshot = replace(self.snapshot, tables=tables, number=self.snapshot.number + 1)

    def follow(self) -> Any:
        """Reconcile; returns the section of the host's report."""
        return self.role.reconcile(self.snapshot)

    def rotate(self, number: int, version: int) -> tls.Pair:
        """Give a site a new certificate."""
        pair = self.issue(number)
        self.change("secretcopies", pair.copy(f"t{number}", version=str(version)))
        return pair

    def add(self, number: int) -> tls.Pair:
        """Another site; its certificate comes with it."""
        pair = self.issue(number)
        self.change("secretcopies", pair.copy(f"t{number}"))
        self.change("ingresses", ingress(number))
        return pair

    def remove(self, number: int) -> None:
        """Remove a site and its certificate."""
        self.change("ingresses", gone=(f"default/i{number}",))
        copy = f"{host_namespace('h1')}/{copy_name(f'default/t{number}')}"
        self.change("secretcopies", gone=(copy,))

    def serial(self, number: int) -> int | str:
        """What a client of a site is shown."""
        return tls.serial(self.haproxy.https_port, name(number))

    def worker_memory(self) -> float:
        """Resident memory of the worker in MB."""
        status = Path(f"/proc/{self.role.driver.info().pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def close(self) -> None:
        self.haproxy.stop()
        self._endpoint.close()


def name(number: int) -> str:
    """The host name of a site."""
    return f"h{number}.example.com"


def ingress(number: int) -> Any:
    """Its own host, two paths, two services, a TLS secret."""
    host = name(number)
    rules = [(host, "Prefix", "/", f"s{number}:80"), (host, "Exact", "/api", f"s{number + 1}:80")]
    return fake.ingress(f"i{number}", rules, version=str(number + 1), tls=[(f"t{number}", [host])])


def timed_commands(role: LbRole, action: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds that HAProxy's socket took during ``action``."""
    spent = 0.0
    driver_socket = role.driver.socket
    send = driver_socket.send

    def timed(*args: Any, **kwargs: Any) -> str:
        nonlocal spent
        began = clock()
        try:
            return send(*args, **kwargs)
        finally:
            spent += clock() - began

    driver_socket.send = timed  # type: ignore[method-assign]
    try:
        action()
    finally:
        driver_socket.send = send  # type: ignore[method-assign]
    return spent

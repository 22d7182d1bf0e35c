"""Continuous clients: HTTP requests to addresses, DNS queries on hosts, and a watch of an Ingress's status.

All times are seconds of the machine's monotonic clock, which lab hosts share.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from rancherctl.lab import access
from tests.lab.support import GIVE_UP, Environment

DNS = ("169.254.20.10", "10.43.0.10")
RESOLVER_TIMEOUT = 5.0
"""Seconds that resolver libraries wait for a response: a lower value would count a busy machine as an outage."""
QUERY_SCRIPT = Path(__file__).with_name("query_loop.py")


@dataclass(frozen=True, slots=True)
class Sample:
    """One request or query: start, duration, target address, error ("" = success) and answer."""

    at: float
    seconds: float
    to: str
    error: str
    answer: str = ""

    @property
    def end(self) -> float:
        """When the request ended."""
        return self.at + self.seconds


def failed(samples: Iterable[Sample]) -> list[Sample]:
    """The failed samples."""
    return [s for s in samples if s.error]


def outage(samples: Iterable[Sample]) -> float:
    """Seconds from the start of the first failure to the end of the first success after the last failure.

    0 without failures.
    """
    ordered = sorted(samples, key=lambda s: s.at)
    bad = [s.at for s in ordered if s.error]
    if not bad:
        return 0.0
    after = [s.end for s in ordered if not s.error and s.at > bad[-1]]
    return (after[0] if after else ordered[-1].end) - bad[0]


def request(address: str, host: str, path: str, *, port: int = 80, timeout: float = 15.0) -> Sample:
    """Send one GET on a new connection; any status but 200 is an error."""
    began = time.monotonic()
    error, pod = "", ""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            error = f"status {response.status}"
        else:
            pod = str(json.loads(body).get("pod", ""))
    except (OSError, http.client.HTTPException, ValueError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    finally:
        connection.close()
    return Sample(began, time.monotonic() - began, address, error, pod)


class Traffic:
    """Requests to every address that ``addresses`` returns at that moment.

    One thread per position in that list; each sends its next request ``pause`` seconds after the end of the former.
    """

    def __init__(
        self,
        addresses: Callable[[], Sequence[str]],
        host: str,
        path: str = "/",
        *,
        slots: int = 3,
        pause: float = 0.03,
        port: int = 80,
    ) -> None:
        self._addresses, self._host, self._path, self._pause, self._port = addresses, host, path, pause, port
        self._stop = threading.Event()
        self._samples: list[Sample] = []
        self._threads = [threading.Thread(target=self._run, args=(i,), daemon=True) for i in range(slots)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60.0)

    def _run(self, slot: int) -> None:
        while not self._stop.wait(self._pause):
            known = self._addresses()
            if slot < len(known):
                self._samples.append(request(known[slot], self._host, self._path, port=self._port))

    def samples(self, to: str = "", *, since: float = 0.0, until: float = float("inf")) -> list[Sample]:
        """Requests that started in [since, until), to one address or to all, sorted by time."""
        found = [s for s in list(self._samples) if (not to or s.to == to) and since <= s.at < until]
        return sorted(found, key=lambda s: s.at)

    def wait_for(self, count: int, *, to: str = "", timeout: float = GIVE_UP) -> None:
        """Wait until ``count`` more requests (to one address) have ended."""
        began, deadline = time.monotonic(), time.monotonic() + timeout
        while len(self.samples(to, since=began)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {len(self.samples(to, since=began))} of {count} requests in {timeout} s")
            self._stop.wait(0.05)


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of an Ingress or a Service that a watch reported at one moment."""

    at: float
    scale: str
    addresses: tuple[str, ...]


class IngressWatch:
    """A watch of one Ingress: ``history`` of scale and published addresses with the moment each was seen."""

    api, kind = "/apis/networking.k8s.io/v1", "ingresses"

    def __init__(self, env: Environment, namespace: str, name: str) -> None:
        path = f"{self.api}/namespaces/{namespace}/{self.kind}?watch=1&fieldSelector=metadata.name%3D{name}"
        argv = ["kubectl", "--context", env.name, "get", "--raw", path]
        self.history: list[Seen] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env.variables
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        self.wait(lambda s: True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(60.0)
        self._thread.join(60.0)
        if self._process.stdout:
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            seen = json.loads(line)["object"]
            entries = seen.get("status", {}).get("loadBalancer", {}).get("ingress", [])
            scale = seen["metadata"].get("annotations", {}).get("scale", "")
            with self._changed:
                self.history.append(Seen(time.monotonic(), scale, tuple(e["ip"] for e in entries)))
                self._changed.notify_all()

    def current(self) -> tuple[str, ...]:
        """The addresses published now."""
        return self.history[-1].addresses if self.history else ()

    def wait(self, condition: Callable[..., bool], *, since: float = 0.0, timeout: float = GIVE_UP) -> Seen:
        """The first entry from ``since`` on that fulfils the condition."""

        def first() -> Seen | None:
            return next((s for s in self.history if s.at >= since and condition(s)), None)

        with self._changed:
            if not self._changed.wait_for(lambda: first() is not None, timeout):
                raise AssertionError(f"not within {timeout} s; history: {self.history}")
            found = first()
        assert found is not None
        return found


class ServiceWatch(IngressWatch):
    """A watch of one Service of type LoadBalancer."""

    api, kind = "/api/v1", "services"


class Queries:
    """A loop on one host that queries its DNS addresses for a name; closing its standard input stops it."""

    def __init__(
        self, env: Environment, host: str, name: str, pause: float = 0.05, limit: float = RESOLVER_TIMEOUT
    ) -> None:
        self.host = host
        paths, lab = env.lab.paths, env.lab.lab
        script = f"/run/rancherctl-test-query-{host}.py"
        env.lab.ssh(host, f"cat > {script}", stdin=QUERY_SCRIPT.read_text(encoding="utf-8"))
        argv = access.ssh_argv(
            paths, lab.host(host), f"python3 -I {script} {name} {pause} {limit} {' '.join(DNS)}; rm -f {script}"
        )
        self._process = subprocess.Popen(
            list(map(str, argv)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._samples: list[Sample] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(60.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(60.0)
        self._thread.join(60.0)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            at, seconds, to, error, answer = line.rstrip("\n").split("\t")
            self._samples.append(Sample(float(at), float(seconds), to, error, answer))

    def samples(self, *, since: float = 0.0) -> list[Sample]:
        """The queries since a moment."""
        return [s for s in list(self._samples) if s.at >= since]

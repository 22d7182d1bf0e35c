"""HostNames: the addresses of host names that load balancers of members have in their statuses.

What is published does not hang on one answer: a name that cannot be resolved keeps the addresses that it had (R-a), and
that is said. The names of the federation's own zone are not looked up: they would keep themselves alive.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from rancherctl.errors import NotFoundError, RancherctlError, UnreachableError
from rancherctl.federation.model import Lookup
from rancherctl.kube.backoff import Backoff
from rancherctl.names import is_dns_name
from rancherctl.net import address_key, canonical_ip
from rancherctl.worker import Worker

MIN_SECONDS: Final = 30.0
MAX_SECONDS: Final = 300.0
"""How long an answer is used at least and at most, whatever its TTL."""
RETRY_SECONDS: Final = 10.0
TIMEOUT: Final = 5.0
"""Seconds for the answers about one name."""
MAX_NAMES: Final = 500
PARALLEL: Final = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS has for a name. ``ttl`` in seconds."""

    addresses: tuple[str, ...]
    ttl: float


Resolve = Callable[[str], Answer]
"""NotFoundError: the name has no address; UnreachableError: the resolver does not answer."""


class HostNames:
    """``want`` says which names are looked up, ``answers`` what is known; ``changed`` is called when that has changed.

    ``zone``: that of the federation, without its final dot. ``clock``: monotonic seconds. ``step`` does the work of the
    thread, which starts with the first name.
    """

    def __init__(self, zone: str, resolve: Resolve, *, changed: Callable[[], None], clock: Callable[[], float]) -> None:
        self._zone, self._resolve, self._changed, self._clock = zone, resolve, changed, clock
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self._known: Mapping[str, Lookup] = {}
        self._due: dict[str, float] = {}
        self._started = False
        backoff = Backoff(random.Random())  # noqa: S311 - spreads load, protects nothing
        self._worker = Worker("host names of members", self.step, retry=backoff.after)

    def want(self, names: Collection[str]) -> None:
        """The names that members have now; returns at once."""
        wanted = frozenset(names)
        with self._lock:
            if wanted == self._names:
                return
            self._names = wanted
        if not self._started:
            self._started = True
            self._worker.start()
        self._worker.wake()

    def answers(self) -> Mapping[str, Lookup]:
        """By name; names that have not been looked up yet are not in it."""
        return self._known

    def stop(self) -> None:
        """End the thread."""
        if self._started:
            self._worker.stop(1.0)

    def step(self) -> float | None:
        """Look up the names whose time has come; returns the seconds until the next one."""
        with self._lock:
            names = sorted(self._names)
        now = self._clock()
        known = {name: self._known[name] for name in names if name in self._known}
        self._due = {name: self._due.get(name, now) for name in names}
        asked = []
        for number, name in enumerate(names):
            if problem := self._problem(name, number):
                known[name] = Lookup(problem=problem)
                self._due[name] = now + MAX_SECONDS
            elif self._due[name] <= now:
                asked.append(name)
        if asked:
            with ThreadPoolExecutor(PARALLEL, thread_name_prefix="host-names") as pool:
                for name, (lookup, seconds) in zip(asked, pool.map(self._look_up, asked), strict=True):
                    before = known.get(name, Lookup())
                    known[name] = lookup if lookup.addresses else replace(before, problem=lookup.problem)
                    self._due[name] = now + seconds
        if known != self._known:
            self._known = known
            self._changed()
        return max(0.0, min(self._due.values()) - self._clock()) if self._due else None

    def _problem(self, name: str, number: int) -> str:
        """Why a name is not looked up; "" if it is."""
        plain = name.lower().removesuffix(".")
        if number >= MAX_NAMES:
            return f"one of more than {MAX_NAMES} host names"
        if not is_dns_name(plain):
            return "not a valid DNS name"
        if f".{plain}".endswith(f".{self._zone}"):
            return "a name of the federation's own zone"
        return ""

    def _look_up(self, name: str) -> tuple[Lookup, float]:
        """What was found, and for how many seconds."""
        try:
            answer = self._resolve(f"{name.lower().removesuffix('.')}.")
        except NotFoundError as error:
            return Lookup(problem=f"without an address: {error}"), MIN_SECONDS
        except RancherctlError as error:
            return Lookup(problem=f"not resolved: {error}"), RETRY_SECONDS
        return Lookup(answer.addresses), min(max(answer.ttl, MIN_SECONDS), MAX_SECONDS)


def system_resolver(nameserver: str = "", port: int = 53) -> Resolve:
    """Asks the resolver of this host as it is configured now, or the one that is given."""

    def resolve(name: str) -> Answer:
        import dns.exception
        import dns.resolver

        found, ttl = set[str](), MAX_SECONDS
        try:
            resolver = dns.resolver.Resolver(configure=not nameserver)
            if nameserver:
                resolver.nameservers, resolver.port = [nameserver], port
            for kind in ("A", "AAAA"):
                answer = resolver.resolve(name, kind, lifetime=TIMEOUT, search=False, raise_on_no_answer=False)
                if answer.rrset is not None:
                    found |= {canonical_ip(rdata.to_text()) for rdata in answer.rrset}
                    ttl = min(ttl, answer.rrset.ttl)
        except dns.resolver.NXDOMAIN as error:
            raise NotFoundError("it does not exist in DNS") from error
        except (dns.exception.DNSException, OSError) as error:
            raise UnreachableError(f"the resolver does not answer: {error}") from error
        if not found:
            raise NotFoundError("it has neither A nor AAAA records")
        return Answer(tuple(sorted(found, key=address_key)), ttl)

    return resolve

"""Run one function for many hosts in parallel, with a limit.

One HostOutcome per host, whether it succeeded or failed.
"""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from rancherctl.errors import PartialError, RancherctlError

LIMIT = 30


def majority(total: int) -> int:
    """How many of ``total`` members are more than half of them."""
    return total // 2 + 1


class Named(Protocol):
    """Anything with a name: a Host, a Transport."""

    @property
    def name(self) -> str:
        """The key of its HostOutcome."""


H = TypeVar("H", bound=Named)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HostOutcome(Generic[T]):
    """HostOutcome on one host: ``value`` if ``ok``, else ``error``; ``seconds`` is the duration."""

    host: str
    value: T | None
    error: RancherctlError | None
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the function succeeded."""
        return self.error is None

    def get(self) -> T:
        """The value; raises the host's error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None is a legal value of T


def each(
    hosts: Iterable[H],
    function: Callable[[H], T],
    limit: int = LIMIT,
    *,
    interrupted: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, HostOutcome[T]]:
    """Run ``function`` for each host, at most ``limit`` at once.

    Outcomes by name, in the order of ``hosts``.

    A RancherctlError becomes that host's outcome and the others continue. Any other exception is a bug: no further host
    is started, and it is raised after the running ones have ended. Ctrl-C starts no further host, calls ``interrupted``
    (which may close connections to stop the running ones), waits for them and is raised again.
    """
    wanted = list(hosts)
    if not wanted:
        return {}

    def one(host: H) -> HostOutcome[T]:
        start = clock()
        try:
            value = function(host)
        except RancherctlError as error:
            return HostOutcome(host.name, None, error, clock() - start)
        return HostOutcome(host.name, value, None, clock() - start)

    pool = concurrent.futures.ThreadPoolExecutor(min(limit, len(wanted)), thread_name_prefix="host")
    try:
        futures = [pool.submit(one, host) for host in wanted]
        concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_EXCEPTION)
        broken = [
            future for future in futures if future.done() and not future.cancelled() and future.exception() is not None
        ]
        if broken:
            broken[0].result()
        return {outcome.host: outcome for outcome in (future.result() for future in futures)}
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, KeyboardInterrupt) and interrupted is not None:
            interrupted()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def values(outcomes: Mapping[str, HostOutcome[T]], what: str) -> dict[str, T]:
    """All values by host.

    Raises PartialError if some hosts failed, or the common error if all failed for the same reason.
    """
    failed = {name: outcome.error for name, outcome in outcomes.items() if outcome.error is not None}
    if not failed:
        return {name: outcome.get() for name, outcome in outcomes.items()}
    errors = list(failed.values())
    if len(failed) == len(outcomes) and (len(failed) == 1 or len({(type(e), e.why) for e in errors}) == 1):
        raise errors[0]
    raise PartialError(
        f"{what} failed on {len(failed)} of {len(outcomes)} hosts", {name: str(error) for name, error in failed.items()}
    )

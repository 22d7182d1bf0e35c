from __future__ import annotations

import concurrent.futures
import os
import signal
import sys
import threading
from dataclasses import dataclass

import pytest

from rancherctl.errors import PartialError, UnreachableError
from rancherctl.hosts.fanout import each, values


@dataclass(frozen=True)
class H:
    name: str


HOSTS = [H(f"h{number}") for number in range(1, 6)]


def fail_on(*names: str):  # type: ignore[no-untyped-def]
    def function(host: H) -> str:
        if host.name in names:
            raise UnreachableError(f"{host.name}: cut", why="no route")
        return host.name.upper()

    return function


def test_one_outcome_per_host_in_order() -> None:
    outcomes = each(HOSTS, fail_on("h2"))
    assert list(outcomes) == ["h1", "h2", "h3", "h4", "h5"]
    assert [outcome.value for outcome in outcomes.values()] == ["H1", None, "H3", "H4", "H5"]
    assert not outcomes["h2"].ok
    with pytest.raises(UnreachableError):
        outcomes["h2"].get()


def test_no_hosts_give_no_outcomes() -> None:
    assert each([], fail_on()) == {}


def test_the_limit_is_respected_and_used() -> None:
    running, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2, timeout=60)

    def function(host: H) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1

    each(HOSTS[:4], function, limit=2)
    assert most == 2


def test_an_unexpected_exception_is_raised_and_stops_the_rest() -> None:
    seen: list[str] = []

    def function(host: H) -> None:
        seen.append(host.name)
        raise ZeroDivisionError(host.name)

    with pytest.raises(ZeroDivisionError):
        each(HOSTS, function, limit=1)
    assert len(seen) < len(HOSTS)


def main_waits() -> bool:
    """Whether the main thread has submitted all hosts and waits for them."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and frame.f_code is not concurrent.futures.wait.__code__:
        frame = frame.f_back
    return frame is not None


def test_ctrl_c_interrupts_running_hosts_and_starts_no_more() -> None:
    seen: list[str] = []
    woken: list[bool] = []
    closed = threading.Event()
    both = threading.Barrier(2, timeout=60)

    def function(host: H) -> None:
        seen.append(host.name)
        both.wait()
        if host.name == "h2":
            while not main_waits():
                closed.wait(0.001)
            # as a terminal does it
            os.kill(os.getpid(), signal.SIGINT)
        woken.append(closed.wait(60))

    with pytest.raises(KeyboardInterrupt):
        each(HOSTS, function, limit=2, interrupted=closed.set)
    assert woken == [True, True]
    assert sorted(seen) == ["h1", "h2"]


def test_values_are_returned_if_all_hosts_succeeded() -> None:
    assert values(each(HOSTS[:2], fail_on()), "look") == {"h1": "H1", "h2": "H2"}


def test_failures_on_some_hosts_are_a_partial_error() -> None:
    with pytest.raises(PartialError, match="look failed on 1 of 5 hosts") as caught:
        values(each(HOSTS, fail_on("h2")), "look")
    assert caught.value.failures == {"h2": "h2: cut: no route"}
    assert caught.value.exit_code == 6


def test_the_same_failure_on_all_hosts_is_raised_itself() -> None:
    with pytest.raises(UnreachableError):
        values(each(HOSTS, fail_on(*(host.name for host in HOSTS))), "look")

"""Where the API is reached from here: all its addresses are tried at once, the first that proves itself is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from rancherctl.environments import api_access
from rancherctl.environments.api_access import ApiRoute, first_usable, route, urls
from rancherctl.environments.inventory import from_flags
from rancherctl.errors import UnreachableError

A, B = "https://10.0.0.11:6443", "https://203.0.113.1:6443"


def test_an_address_that_is_a_black_hole_does_not_delay_one_that_answers() -> None:
    never = threading.Event()

    def problem(url: str) -> str:
        if url == A:
            never.wait(60)
            return "timed out"
        return ""

    assert first_usable([A, B], problem) == (B, [])
    never.set()


def test_if_no_address_answers_all_problems_are_reported_in_the_candidates_order() -> None:
    later = threading.Event()

    def problem(url: str) -> str:
        if url == A:
            assert later.wait(60)
        later.set()
        return f"{url}: refused"

    assert first_usable([A, B], problem) == ("", [f"{A}: refused", f"{B}: refused"])
    assert first_usable([], problem) == ("", [])


def test_a_check_that_fails_unexpectedly_is_reported_as_a_problem() -> None:
    def problem(url: str) -> str:
        raise UnicodeError("label too long")

    assert first_usable([A], problem) == ("", [f"{A}: label too long"])


def test_each_address_is_a_candidate_once() -> None:
    environment = from_flags("demo", ["10.0.0.11"]).environment
    host = replace(environment.hosts[0], public_address="203.0.113.1")
    environment = replace(environment, hosts=(host,), api=replace(environment.api, address="203.0.113.1"))
    assert urls(environment) == [A, B]


@dataclass
class FakeTunnel:
    """A tunnel that opens at ``port``, or fails if it has none; ``events`` records what happened."""

    name: str
    port: int
    events: list[str] = field(default_factory=list)
    target: str = "127.0.0.1:6443"

    @contextmanager
    def open(self) -> Iterator[int]:
        if not self.port:
            raise UnreachableError(f"{self.name}: no route to host")
        self.events.append(f"open {self.name}")
        yield self.port
        self.events.append(f"close {self.name}")


@pytest.fixture
def usable(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """URLs at which the API answers."""
    answering: set[str] = set()
    monkeypatch.setattr(
        api_access, "problem_at", lambda url, ca, seconds, proxy=None: "" if url in answering else f"{url}: refused"
    )
    return answering


def test_tunnels_are_tried_in_order_until_one_leads_to_the_api(usable: set[str]) -> None:
    usable.add("https://127.0.0.1:3")
    events: list[str] = []
    tunnels = [FakeTunnel("h1", 0, events), FakeTunnel("h2", 2, events), FakeTunnel("h3", 3, events)]
    with route("demo", [A], "", tunnels) as found:
        assert found == ApiRoute("https://127.0.0.1:3", "h3")
        assert events == ["open h2", "close h2", "open h3"]
    assert events[-1] == "close h3"


def test_without_any_route_the_error_lists_every_attempt(usable: set[str]) -> None:
    with (
        pytest.raises(
            UnreachableError, match="environment demo cannot be reached from here, nor through ssh"
        ) as caught,
        route("demo", [A, B], "", [FakeTunnel("h1", 0), FakeTunnel("h2", 2)]),
    ):
        pass
    assert caught.value.why == (
        f"{A}: refused; {B}: refused; h1: no route to host; h2: nothing answers as this API at 127.0.0.1:6443 there"
    )


def test_a_direct_route_opens_no_tunnel(usable: set[str]) -> None:
    usable.add(B)
    tunnel = FakeTunnel("h1", 1)
    with route("demo", [A, B], "", [tunnel]) as found:
        assert found == ApiRoute(B)
    assert tunnel.events == []

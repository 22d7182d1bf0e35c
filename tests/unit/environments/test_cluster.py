"""Where the API is reached from here: all its addresses at once, the first that proves itself."""

from __future__ import annotations

import threading
from dataclasses import replace

from rancherctl.environments.cluster import candidates, first
from rancherctl.environments.inventory import from_flags

A, B = ("10.0.0.11", 6443), ("203.0.113.1", 6443)


def test_an_address_that_is_a_black_hole_is_not_waited_for() -> None:
    never = threading.Event()

    def proved(address: str, port: int) -> str:
        if (address, port) == A:
            never.wait(60)
            return "timed out"
        return ""

    assert first([A, B], proved) == (B, [])
    never.set()


def test_when_none_answers_all_reasons_are_told_in_their_order() -> None:
    later = threading.Event()

    def proved(address: str, port: int) -> str:
        if (address, port) == A:
            assert later.wait(60)
        later.set()
        return f"{address}: no"

    assert first([A, B], proved) == (None, ["10.0.0.11: no", "203.0.113.1: no"])
    assert first([], proved) == (None, [])


def test_an_address_that_cannot_even_be_asked_is_a_reason() -> None:
    def proved(address: str, port: int) -> str:
        raise UnicodeError("label too long")

    assert first([A], proved) == (None, ["10.0.0.11:6443: label too long"])


def test_each_address_is_asked_once() -> None:
    environment = from_flags("demo", ["10.0.0.11"]).environment
    boss = replace(environment.hosts[0], public_address="203.0.113.1")
    environment = replace(environment, hosts=(boss,), api=replace(environment.api, address="203.0.113.1"))
    assert candidates(environment) == [A, B]

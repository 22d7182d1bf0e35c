"""Rows of `env ls`: each API has its own time limit."""

from __future__ import annotations

import threading

import pytest

from rancherctl.cli.env import listing


def none() -> None:
    return None


def test_a_name_server_that_does_not_answer_does_not_delay_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def connect_problem(host: str, port: int, proxy: object) -> str:
        if host == "slow.example":
            never.wait(60)
        return "" if port == 6443 else "Connection refused"

    monkeypatch.setattr(listing, "connect_problem", connect_problem)
    monkeypatch.setattr(listing, "GRACE", 0.0)
    found = listing.connect_problems(
        {"a": ("slow.example", 6443, none), "b": ("10.0.0.1", 6443, none), "c": ("10.0.0.2", 1, none)}, timeout=0.2
    )
    never.set()
    assert found == {"a": "no answer within 0 s", "b": "", "c": "Connection refused"}

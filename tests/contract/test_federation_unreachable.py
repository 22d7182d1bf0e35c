"""Commands of a federation while its API, or that of a member, is away: one error in time, and nothing is changed."""

from __future__ import annotations

from functools import partialmethod

import pytest

from rancherctl.kube.rest import RestClient
from tests.fakes.federation_desk import Desk, labelled
from tests.fakes.ports import free_port


def test_a_member_whose_api_is_away_does_not_join(desk: Desk) -> None:
    desk.stop("m2")
    desk.refused(("federation", "join", "acme", "--env", "m2"), 7, ("m2: cannot connect to the API server",))
    desk.stop("acme")
    both = ("2 APIs cannot be used", "acme: cannot connect", "m2: cannot connect")
    desk.refused(("federation", "join", "acme", "--env", "m2"), 7, both)
    desk.refused(("federation", "join", "acme", "--env", "m2", "--dry-run"), 7, both)


@pytest.mark.parametrize("services", ["keep", "delete"])
def test_a_member_whose_api_is_away_does_not_begin_to_leave(desk: Desk, services: str) -> None:
    """karmada#3740 #4431: what is said leads to the way out for members that are lost."""
    desk.stop("m1")
    parts = ("m1: cannot connect", "nothing was changed", "rancherctl federation leave m1 --services keep --force")
    desk.refused(("federation", "leave", "m1", "--services", services), 7, parts)


def test_without_its_api_a_member_does_not_leave_by_its_label_and_keeps_it(desk: Desk) -> None:
    """The label is removed once it has left, so that the same command can be repeated."""
    labelled(desk, "m1", federation="acme")
    desk.stop("acme")
    desk.refused(("env", "label", "m1", "federation-", "--services", "keep"), 7, ("cannot connect",))
    desk.refused(("env", "label", "m1", "federation-"), 2, ("what happens to its copies must be said",))


READING: tuple[str, ...] = (
    "federation ls",
    "federation ls -o json",
    "federation status",
    "federation services",
    "federation services web",
    "federation dns ls",
    "federation dns diff",
    "federation dns verify",
    "federation sync m1",
    "federation sync acme.example",
    "federation drain m1",
    "federation undrain m1",
    "federation dns adopt www.acme.example",
    "federation sync m1 --force",
    "federation leave m1 --services keep",
    "federation leave m1 --services keep --force",
)
"""Commands that need the federation's API, and nothing else first."""


@pytest.mark.parametrize("words", READING)
def test_a_federation_whose_api_is_down_is_unreachable(desk: Desk, words: str) -> None:
    desk.stop("acme")
    desk.refused(words.split(), 7, ("cannot connect to the API server 127.0.0.1:", "check that it runs"))


@pytest.mark.parametrize("words", READING[:10])
def test_a_federation_whose_api_hangs_is_unreachable_after_the_time_limit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """Every call has a limit (30 s for lists, 10 s for an object), which is shortened here."""
    for name in ("list", "get"):
        monkeypatch.setattr(RestClient, name, partialmethod(getattr(RestClient, name), timeout=0.3))
    desk.apis["acme"].stall(times=9)
    before = desk.everything()
    done = desk.run(*words.split())
    assert (done.code, done.out) == (7, ""), done.err
    assert "no whole answer within 0 s" in done.err
    assert "next: it accepts connections, but is busy or stuck" in done.err
    assert desk.everything() == before


def test_labels_that_a_federation_could_not_get_are_a_partial_failure(desk: Desk) -> None:
    """The environment has them; the same command, repeated, hands them on."""
    url = desk.apis["acme"].url
    desk.know("acme", f"http://127.0.0.1:{free_port()}", desk.known.read("acme"))
    done = desk.run("env", "label", "m1", "env=prod")
    assert done.code == 6, done.err
    assert done.out == "m1: labels env=prod\n"
    assert "m1 could not update its labels in acme" in done.err
    assert "next: run the same command again" in done.err
    desk.know("acme", url, desk.known.read("acme"))
    done = desk.run("env", "label", "m1", "env=prod", "--no-wait")
    assert (done.code, "m1 updated its labels in acme" in done.err) == (0, True), done.err


def test_an_environment_that_cannot_join_yet_is_pending(desk: Desk) -> None:
    """The label federation is stored, and what prevents the join is said: it joins by a later command (F11)."""
    desk.stop("acme")
    done = desk.run("env", "label", "m2", "federation=acme")
    assert (done.code, desk.known.read("m2").labels) == (0, {"federation": "acme"}), done.err
    assert "m2 has not joined acme yet" in done.err
    assert "rancherctl federation join acme --env m2" in done.err


def test_an_environment_whose_api_is_down_gets_no_labels(desk: Desk) -> None:
    desk.stop("m1")
    desk.refused(("env", "label", "m1", "env=prod"), 7, ("cannot connect to the API server",))

"""The Lease of operators: one holder at a time, dead holders are replaced, a lost lock is an error."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from rancherctl.environments.lease_lock import NAME, SECONDS, LeaseLock
from rancherctl.errors import LockedError
from rancherctl.hosts.lock_owner import Owner
from rancherctl.kube.client import LEASES
from rancherctl.kube.rest import RestClient
from tests.fakes.kube import FakeApi

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ALICE, BOB = Owner("alice@a", "ma", 1, "s1"), Owner("bob@b", "mb", 2, "s2")
NS = "rancherctl-system"


@pytest.fixture
def client() -> Iterator[RestClient]:
    api = FakeApi()
    with RestClient(api.url) as found:
        yield found
    api.close()


def lock(client: RestClient, owner: Owner, *, later: float = 0.0, alive: bool = True, force: bool = False) -> LeaseLock:
    return LeaseLock(client, owner, lambda: NOW + timedelta(seconds=later), alive=lambda _: alive, force=force)


def test_one_operator_at_a_time(client: RestClient) -> None:
    first = lock(client, ALICE)
    first.acquire("alice@a", "applying x")
    first.verify()
    with pytest.raises(LockedError, match=r"held by alice@a since 2026-05-01T00:00:00\.000000Z for applying x"):
        lock(client, BOB).acquire("bob@b", "applying y")
    first.release()
    lock(client, BOB).acquire("bob@b", "applying y")
    assert client.get(LEASES, NAME, namespace=NS)["spec"]["holderIdentity"] == "bob@b"


def test_dead_and_silent_holders_are_replaced_and_living_ones_are_not(client: RestClient) -> None:
    lock(client, ALICE).acquire("alice@a", "x")
    with pytest.raises(LockedError):
        lock(client, BOB, later=SECONDS - 1).acquire("bob@b", "y")
    lock(client, BOB, alive=False).acquire("bob@b", "y")
    lock(client, ALICE, later=SECONDS + 1).acquire("alice@a", "x")
    lock(client, BOB, force=True).acquire("bob@b", "y")


def test_the_holder_of_a_broken_lock_gets_an_error_at_the_next_phase(client: RestClient) -> None:
    first = lock(client, ALICE)
    first.acquire("alice@a", "x")
    lock(client, BOB, force=True).acquire("bob@b", "y")
    with pytest.raises(LockedError, match="taken over by another process"):
        first.verify()
    first.release()
    assert client.get(LEASES, NAME, namespace=NS)["spec"]["holderIdentity"] == "bob@b"

"""The role: its period, what must last before it is reported, and young agents."""

from __future__ import annotations

from typing import Any

import pytest

from rancherctl.errors import RancherctlError
from rancherctl.kube.objects import Meta, Node
from rancherctl.kube.snapshot import Snapshot, Table
from rancherctl.network.model import NetworkConfig
from rancherctl.pod_paths.check import PathConfig, Target, wrong_route
from rancherctl.pod_paths.model import Check, Endpoint, HostPaths, endpoint
from rancherctl.pod_paths.reconcile import (
    CONFIRM_SECONDS,
    FAILING_SECONDS,
    START_SECONDS,
    PodPathsRole,
    service_address,
)
from tests.unit.network.test_reconcile import Tools

YES, NO = Check("yes"), Check("no", "firewall", "dropped")
GOOD, BAD = HostPaths(YES, YES, {"h2": YES}), HostPaths(NO, YES, {"h2": YES})
NETWORK = NetworkConfig("h1", "10.77.0.11", "10.42.0.0/16", "10.43.0.0/16")
CONFIG = PathConfig("h1", "10.43.0.10", "kubernetes.default.svc.cluster.local.", "10.43.0.1", ("127.0.0.1", 7443), True)


class FakeCheck:
    """Returns ``found`` and counts checks."""

    def __init__(self) -> None:
        self.found, self.runs = GOOD, 0
        self.asked: tuple[Target, ...] = ()
        self.endpoint: Endpoint | None = None
        self.broken = ""

    def attach(self, wanted: Endpoint, mtu: int) -> None:
        self.endpoint = wanted
        if self.broken:
            raise RancherctlError(self.broken)

    def run(self, own: str, asked: tuple[Target, ...]) -> HostPaths:
        self.runs, self.asked = self.runs + 1, asked
        return self.found


class Site:
    def __init__(self) -> None:
        self.now, self.check, self.connected = 1000.0, FakeCheck(), True
        self.role = PodPathsRole(
            CONFIG,
            NETWORK,
            Tools(),
            period=60.0,
            check=self.check,  # type: ignore[arg-type]
            clock=lambda: self.now,
            choose=lambda: 0.5,
            attached=lambda: self.connected,
        )

    def after(self, seconds: float, *, synced: bool = True) -> dict[str, Any]:
        self.now += seconds
        found = {
            f"h{n}": Node(Meta("", f"h{n}"), (("InternalIP", f"10.77.0.1{n}"),), (f"10.42.{n}.0/24",), True, False)
            for n in (1, 2, 3)
        }
        return dict(self.role.reconcile(Snapshot({"nodes": Table(found, synced=synced)})))


@pytest.fixture
def site() -> Site:
    return Site()


def test_it_checks_once_in_a_period_whatever_wakes_it(site: Site) -> None:
    for seconds in (0, 1, 1, 57, 0):
        site.after(seconds)
    assert site.check.runs == 1
    site.after(1)
    assert site.check.runs == 2
    assert site.check.endpoint == Endpoint("10.42.1.255", "10.42.1.1")
    assert [(t.node, t.address, t.via) for t in site.check.asked] == [
        ("h2", "10.42.2.255", "10.77.0.12"), ("h3", "10.42.3.255", "10.77.0.13"),
    ]  # fmt: skip


def test_a_failure_is_reported_when_a_second_check_confirms_it(site: Site) -> None:
    assert site.after(0)["dns"]["answer"] == "yes"
    site.check.found = BAD
    assert site.after(60)["dns"]["answer"] == "yes"
    assert site.after(CONFIRM_SECONDS)["dns"] == {"answer": "no", "cause": "firewall", "reason": "dropped"}
    site.check.found = GOOD
    assert site.after(60)["dns"]["answer"] == "yes"


def test_a_failure_that_passes_is_not_reported(site: Site) -> None:
    site.after(0)
    for found, pause in ((BAD, 60), (GOOD, CONFIRM_SECONDS), (BAD, 60), (GOOD, CONFIRM_SECONDS)):
        site.check.found = found
        assert site.after(pause)["dns"]["answer"] == "yes"


def test_a_young_agent_is_starting_until_a_check_passes(site: Site) -> None:
    site.check.found = BAD
    assert site.after(0)["starting"]
    assert site.after(CONFIRM_SECONDS)["starting"]
    site.check.found = GOOD
    assert not site.after(CONFIRM_SECONDS)["starting"]


def test_a_start_that_never_passes_ends(site: Site) -> None:
    site.check.found = BAD
    for _ in range(int(START_SECONDS / CONFIRM_SECONDS) + 1):
        section = site.after(CONFIRM_SECONDS)
    assert not section["starting"]
    assert section["dns"]["answer"] == "no"


def test_without_the_api_the_last_answers_stay(site: Site) -> None:
    site.after(0)
    assert site.after(60, synced=False)["dns"]["answer"] == "yes"
    assert Site().after(0, synced=False)["starting"]


def test_an_endpoint_that_cannot_be_attached_is_unknown_not_a_failure(site: Site) -> None:
    site.after(0)
    site.check.broken = "the check endpoint does not run"
    section = site.after(60)
    assert section["dns"] == {"answer": "unknown", "cause": "endpoint", "reason": "the check endpoint does not run"}


def test_an_endpoint_that_was_restarted_is_connected_again_at_once(site: Site) -> None:
    """Other hosts would find a firewall here: the apply of another release restarts it after the agent."""
    site.after(0)
    site.connected, site.check.broken = False, "the check endpoint does not run"
    site.after(1)
    runs = site.check.runs
    site.check.broken = ""
    site.after(1)
    assert site.check.runs == runs, "not while it starts"
    site.after(1)
    assert site.check.runs == runs + 1
    site.connected = True
    site.after(59)
    assert site.check.runs == runs + 1


def test_a_failure_is_looked_at_more_often(site: Site) -> None:
    site.after(0)
    site.check.found = BAD
    site.after(60)
    site.after(CONFIRM_SECONDS)
    site.check.found = GOOD
    assert site.after(FAILING_SECONDS - 1)["dns"]["answer"] == "no"
    assert site.after(1)["dns"]["answer"] == "yes"


def test_addresses_of_a_pod_range() -> None:
    assert endpoint("10.42.3.0/24") == Endpoint("10.42.3.255", "10.42.3.1")
    assert endpoint("10.42.3.64/30") == Endpoint("10.42.3.67", "10.42.3.65")
    assert service_address("10.43.0.0/16", 1) == "10.43.0.1"


def test_where_the_kernel_sends_packets() -> None:
    assert wrong_route(b'[{"dst":"10.42.2.255","gateway":"10.77.0.12","dev":"host0"}]', "10.77.0.12") == ""
    assert wrong_route(b'[{"dst":"10.42.2.255","dev":"rctl-vxlan"}]', "rctl-vxlan") == ""
    assert wrong_route(b'[{"dst":"10.42.2.255","gateway":"10.77.0.1","dev":"host0"}]', "10.77.0.12") == (
        "packets go via 10.77.0.1"
    )
    assert wrong_route(b"[]", "10.77.0.12") == "the host has no route for them"
    assert wrong_route(b"garbage", "10.77.0.12") == ""

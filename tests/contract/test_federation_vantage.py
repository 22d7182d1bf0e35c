"""A vantage point in a member with a real API server: targets arrive, reports come back, leaving ends it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from rancherctl.agents.controllers.vantage import VantageController
from rancherctl.agents.fence import Fenced
from rancherctl.federation.operator.member_objects import LABELS
from rancherctl.federation.probe_results import Result, Seen
from rancherctl.federation.probe_targets import Target
from rancherctl.federation.tokens import member_namespace
from rancherctl.federation.vantage_link import VantageLink
from rancherctl.kube.cache import Cache
from rancherctl.kube.client import NAMESPACES
from rancherctl.kube.rest import RestClient
from rancherctl.roles.controllers import FEDERATION_NAMESPACES
from tests.fakes.ports import free_port
from tests.lab.apiserver import running

GIVE_UP = 60.0


def _until(what: str, answer: Callable[[], Any]) -> None:
    deadline = time.monotonic() + GIVE_UP
    while not answer():
        assert time.monotonic() < deadline, f"{what}: not within {GIVE_UP:.0f} s"
        time.sleep(0.05)


@pytest.fixture
def api() -> Iterator[RestClient]:
    with running() as server, server.client() as client:
        yield client


def test_a_member_probes_what_its_federation_asks_for_and_reports_changes(api: RestClient) -> None:
    namespace = member_namespace("acme")
    api.create(NAMESPACES, {"metadata": {"name": namespace, "labels": dict(LABELS)}})
    leader: Any = SimpleNamespace(leading=False)
    controller = VantageController(Fenced(api, lambda: None), api, leader, time.monotonic)
    cache = Cache(api, [FEDERATION_NAMESPACES], lambda _: None)
    reports: list[Mapping[str, Result]] = []
    link = VantageLink("acme", "m1", api, reports.append)
    listener = socket.create_server(("127.0.0.1", free_port()))
    target = Target("127.0.0.1", "127.0.0.1", listener.getsockname()[1])
    cache.start()
    link.start()
    try:
        link.want([target])
        assert cache.wait(lambda snapshot: bool(snapshot.table(FEDERATION_NAMESPACES.name).items), GIVE_UP)
        controller.reconcile(cache.snapshot())
        assert controller._worker is None  # a standby does not probe
        leader.leading = True
        controller.reconcile(cache.snapshot())
        _until("the target is up", lambda: reports and reports[-1].get(target.key, Result(Seen.MIXED)).seen is Seen.UP)
        listener.close()
        _until("the target is down", lambda: reports[-1][target.key].seen is Seen.DOWN)
        assert reports[-1][target.key].reached is not None
        api.delete(NAMESPACES, namespace)
        assert cache.wait(
            lambda s: all(m.deleting for m in s.table(FEDERATION_NAMESPACES.name).items.values()), GIVE_UP
        )
        controller.reconcile(cache.snapshot())
        assert controller._worker is None
    finally:
        leader.leading = False
        controller.reconcile(cache.snapshot())
        link.stop()
        cache.stop()
        listener.close()

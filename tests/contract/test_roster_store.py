"""Writes of the roster one after the other, faster than a watch over HTTP delivers them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from rancherctl.agents.roster_store import RosterStore
from rancherctl.contract import NAMESPACE, ROSTER_KEY, ROSTER_NAME
from rancherctl.kube import client
from rancherctl.kube.cache import Cache
from rancherctl.kube.rest import RestClient
from rancherctl.roles.controllers import CONFIGMAPS
from tests.fakes.kube_clients import EITHER, client_of

SECONDS = 60.0


@pytest.fixture(params=EITHER)
def rest(request: pytest.FixtureRequest) -> Iterator[RestClient]:
    with client_of(request.param) as made:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        made.create(client.NAMESPACES, namespace)
        yield made


def report(number: int) -> client.Json:
    metadata = {"name": "report-h1", "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"report": str(number)}}


def test_no_write_is_refused_while_others_write_their_own_objects(rest: RestClient) -> None:
    cache, store, done = Cache(rest, [CONFIGMAPS], lambda _: None), RosterStore(rest), threading.Event()  # type: ignore[arg-type]
    rest.create(client.CONFIGMAPS, report(0), namespace=NAMESPACE)

    def reports() -> None:
        number = 0
        while not done.is_set():
            number += 1
            rest.replace(client.CONFIGMAPS, report(number))

    other = threading.Thread(target=reports)
    cache.start()
    other.start()
    try:
        assert cache.wait(lambda s: s.table("configmaps").synced, SECONDS)
        for number in range(200):
            store.write({"roster": str(number)}, cache.snapshot().table("configmaps"))
        last = {"roster": "199"}
        assert cache.wait(
            lambda s: bool((c := s.table("configmaps").items.get(ROSTER_KEY)) and c.data == last), SECONDS
        )
        rest.delete(client.CONFIGMAPS, ROSTER_NAME, namespace=NAMESPACE)
        assert cache.wait(lambda s: store.current(s.table("configmaps")) is None, SECONDS)
        store.write(last, cache.snapshot().table("configmaps"))
        assert rest.get(client.CONFIGMAPS, ROSTER_NAME, namespace=NAMESPACE)["data"] == last
    finally:
        done.set()
        other.join(SECONDS)
        cache.stop()

"""Thousands of certificates in a real HAProxy: start, changes and a reload under load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.ingress.role import openssl
from rancherctl.ingress.translate import endpoints
from tests.fakes.many_sites import ManySites
from tests.fakes.request_stream import Clients

COUNT = 3000


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ManySites]:
    monkeypatch.setattr(endpoints, "routable", lambda address: True)
    sites = ManySites(tmp_path, COUNT)
    try:
        yield sites
    finally:
        sites.close()


@pytest.mark.slow
def test_3000_certificates_start_change_and_survive_a_reload(many: ManySites, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded or judged twice, no change of a certificate is a reload, and no request fails."""
    judged: list[object] = []
    refusal = openssl.refusal
    monkeypatch.setattr(many.role.secrets, "_refusal", lambda pair: judged.append(pair) or refusal(pair))
    section = many.follow()
    assert (len(section["served"]), section["alarm"], judged) == (COUNT, "", [])
    assert many.worker_memory() <= 400
    assert f"mworker-max-reloads {max(2, min(8, int(512 // many.worker_memory())))}" in _reloaded(many)
    reloads = many.role.driver.counters.reloads
    for turn in range(5):
        added, rotated = many.add(COUNT + turn), many.rotate(turn, 2)
        many.follow()
        assert (many.serial(COUNT + turn), many.serial(turn)) == (added.serial, rotated.serial)
    many.remove(COUNT)
    many.follow()
    assert many.serial(COUNT) == "TLSV1_UNRECOGNIZED_NAME"
    assert len(judged) == 10
    assert many.role.driver.counters.reloads == reloads
    with Clients(many.haproxy, host="h7.example.com", path="/", status=308) as clients:
        clients.wait_for(50)
        many.role.health.reload("test")
        clients.wait_for(50)
    assert clients.bad == []
    many.new_role()
    many.role.secrets._refusal = lambda pair: pytest.fail("judged again after a restart of the agent")
    assert len(many.follow()["served"]) == COUNT + 4
    assert many.role.driver.counters.reloads == 0


def _reloaded(many: ManySites) -> str:
    """The configuration after one more reload."""
    many.role.health.reload("test")
    return Path(many.haproxy.paths.config).read_text()

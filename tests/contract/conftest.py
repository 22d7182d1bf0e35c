"""Fixtures of several contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.ingress.translate import endpoints
from tests.fakes.ingress import Haproxy
from tests.fakes.ingress_host import LoadBalancerHost


@pytest.fixture
def lb_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadBalancerHost]:
    """A host with a load balancer whose pods may be on loopback."""
    monkeypatch.setattr(endpoints, "routable", lambda address: True)
    host = LoadBalancerHost(Haproxy(tmp_path))
    yield host
    host.close()

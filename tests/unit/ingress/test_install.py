"""What an upgrade changes on a host that carries load balancers."""

from __future__ import annotations

from pathlib import Path

from rancherctl.ingress.haproxy.install import unit_text
from rancherctl.ingress.haproxy.render import Paths

RECORDED = Path(__file__).parents[2] / "data" / "ingress" / "release_0.1" / "rancherctl-ingress.service"


def test_an_upgrade_from_release_0_1_does_not_restart_haproxy() -> None:
    """The unit is restarted when its text changes, which resets the connections of every client."""
    assert unit_text(Paths()) == RECORDED.read_text(encoding="utf-8")

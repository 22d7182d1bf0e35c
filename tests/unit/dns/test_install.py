"""What an upgrade changes on a host's DNS server."""

from __future__ import annotations

from pathlib import Path

from rancherctl.dns.install import resources
from rancherctl.dns.model import DnsHostConfig
from rancherctl.hosts.model import File, Unit

RECORDED = Path(__file__).parents[2] / "data" / "release_0.1"


def test_an_upgrade_from_release_0_1_does_not_restart_named() -> None:
    """named is restarted when one of these files changes, and answers no query meanwhile."""
    found = resources(DnsHostConfig("h1"))
    (unit,) = (r for r in found if isinstance(r, Unit))
    files = {r.path: r.content for r in found if isinstance(r, File)}
    assert len(unit.restart_on) == 1
    for path in unit.restart_on:
        assert files[path] == (RECORDED / Path(path).name).read_bytes(), path

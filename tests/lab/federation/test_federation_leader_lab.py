"""Two processes of a federation: the one that was frozen writes nothing more when it thaws."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.federation.shop import addresses, annotate, body, public_name, published, services
from tests.lab.federation.sites import Sites
from tests.lab.support import until

UNIT = "rancherctl-federation"
SECOND = "federation-second"

pytestmark = pytest.mark.slow


def holder(sites: Sites) -> str:
    lease = sites.acme.get("lease", UNIT, "-n", "rancherctl-system")
    return str(lease["spec"].get("holderIdentity") or "")


@pytest.fixture
def standby(shop: Sites) -> Iterator[str]:
    """A second process on the federation's host, by the same program, user and certificate; its identity."""
    script = f"""
    set -e
    command=$(systemctl show {UNIT} -p ExecStart --value | sed 's/.*argv\\[\\]=//; s/ ;.*//')
    user=$(systemctl show {UNIT} -p User --value)
    systemd-run --unit {SECOND} -p Type=notify -p User=$user $command --identity second
    """
    shop.lab.ssh("h4", script)
    yield "second"
    shop.lab.ssh("h4", f"systemctl kill -s CONT {UNIT}; systemctl stop {SECOND}; systemctl restart {UNIT}")
    until("leader again", lambda: holder(shop) not in ("", "second"))


def test_a_leader_that_was_frozen_does_not_write_when_it_thaws(shop: Sites, standby: str) -> None:
    """Case 54: SIGSTOP of the leader while a change is on its way, takeover, thaw: the zone is as the new one wants."""
    with services(shop, body("frozen")):
        published(shop, "frozen")
        first = holder(shop)
        assert first not in ("", standby)
        epoch = marker(shop)
        annotate(shop, "frozen", "priority=m2=1")
        shop.lab.ssh("h4", f"systemctl kill -s STOP {UNIT}")
        annotate(shop, "frozen", "priority=m1=1")
        until("takeover", lambda: holder(shop) == standby)
        wanted = sorted(addresses(shop.m1, "frozen"))
        until("new leader writes", lambda: shop.public(public_name("frozen")) == wanted and marker(shop) > epoch)
        before = shop.zone()
        shop.lab.ssh("h4", f"systemctl kill -s CONT {UNIT}")
        # The old leader has noticed when it asks for the Lease again; the new one still has it.
        log = f"journalctl -u {UNIT} --since=-60s -o cat"
        until("noticed", lambda: "no longer leader" in shop.lab.ssh("h4", log))
        assert holder(shop) == standby
        assert shop.zone() == before
        with services(shop, body("by-new", type="ClusterIP")):
            assert json.loads(shop.acme.ok("federation", "dns", "diff", "-o", "json"))["items"] == []


def marker(sites: Sites) -> int:
    """The epoch in the zone's marker."""
    texts = [line[4] for line in sites.zone() if "epoch=" in line[4]]
    assert len(texts) == 1, texts
    return int(texts[0].rpartition("epoch=")[2].strip('" '))

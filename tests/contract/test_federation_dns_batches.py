"""Updates in several parts, while the server stops to accept the key in the middle (case 53)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import dns.update
import pytest

from rancherctl.errors import RancherctlError
from rancherctl.federation.inventory import MemoryInventory
from rancherctl.federation.providers.base import Result
from rancherctl.federation.providers.rfc2136 import Rfc2136Provider
from rancherctl.federation.publisher import DnsPublisher
from tests.fakes.dns_provider import SETTINGS, service, shard
from tests.fakes.public_dns import ZONE, PublicDns

SERVICES = [service(f"s{number}", shard("m1", "203.0.113.1", "203.0.113.2")) for number in range(400)]
NAMES = 3 * len(SERVICES)
"""Of zone, region and the last rung."""


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[PublicDns]:
    with PublicDns(tmp_path / "bind") as server:
        yield server


def published(bind: PublicDns) -> int:
    """How many names the zone has with their markers."""
    found = Rfc2136Provider(ZONE, [bind.address], bind.key).read("", ()).names.values()
    return sum(state.marker is not None and bool(state.sets) for state in found)


class Revoking(Rfc2136Provider):
    """Before its third update (after the zone marker and the first part of the names) the server has other keys."""

    def __init__(self, bind: PublicDns) -> None:
        super().__init__(ZONE, [bind.address], bind.key)
        self.bind, self.sent = bind, 0

    def _send(self, message: dns.update.UpdateMessage) -> Result:
        self.sent += 1
        if self.sent == 3:
            restart(self.bind, 'secret "', 'secret "AAAA')
        return super()._send(message)


def restart(bind: PublicDns, old: str, new: str) -> None:
    """Start the server again with other text in its keys."""
    bind.stop()
    keys = bind.folder / "keys.conf"
    keys.write_text(keys.read_text().replace(old, new))
    bind.start()


def test_a_key_that_is_revoked_in_the_middle_leaves_whole_names_and_is_said(bind: PublicDns) -> None:
    """Case 53: what was sent is there, the rest unchanged; with a key that is accepted it goes on where it was."""
    provider = Revoking(bind)
    publisher = DnsPublisher(
        SETTINGS, provider, gate=lambda: None, store=MemoryInventory(), clock=lambda: 0.0, choose=random.Random(1)
    )
    publisher.want(SERVICES, {})
    with pytest.raises(RancherctlError) as error:
        publisher.step()
    assert "could not be changed" in str(error.value)
    assert "the secret of key acme-256 is not the server's" in str(error.value)
    assert "compare key acme-256" in error.value.hint
    assert publisher.state().condition("default/s0").reason == "ProviderFailed"
    restart(bind, 'secret "AAAA', 'secret "')
    assert 0 < published(bind) < NAMES
    publisher.step()
    assert published(bind) == NAMES
    assert publisher.state().pending == 0

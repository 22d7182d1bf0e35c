"""When a zone that the server does not have counts as failed, so that its files may be replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from rancherctl.dns.heal import Healer
from rancherctl.dns.model import RecordSet
from rancherctl.dns.named_conf import ALL_LOADED, STARTS
from rancherctl.dns.plan import Epochs
from rancherctl.dns.store import Store
from rancherctl.dns.sync import GRACE, Sync
from rancherctl.dns.zone_state import ZoneState

ZONE = "cluster.local."
SAVED = RecordSet("saved.cluster.local.", "A", ("10.43.0.1",))


class Loading:
    """A server that is still reading its zones: it answers SERVFAIL."""

    generation = 1

    def exchange(self, message: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(message)
        answer.set_rcode(dns.rcode.SERVFAIL)
        return answer


class Daemon:
    """Counts what is done to the server."""

    calls = 0

    def reload(self) -> None:
        self.calls += 1

    stop = start = reload


class Host:
    """A host with an older saved copy of the zone, and a journal of acknowledged updates that is newer."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.daemon = Daemon()
        self.zone, self.journal, self.starts = (
            folder / name for name in ("cluster.local.zone", "cluster.local.zone.jnl", STARTS)
        )
        store = Store(str(folder))
        healer = Healer("cluster.local", store, self.daemon, clock=lambda: self.now, wall=lambda: 1.0)
        self.state = ZoneState(ZONE)
        self.state.set_actual({SAVED.key: SAVED})
        healer.keep(self.state)
        self.zone.write_text("as the server wrote it")
        self.journal.write_text("acknowledged updates")
        self.starts.write_text("")
        channel: Any = Loading()
        verifier: Any = None  # it has nothing to do before all zones are loaded
        self.sync = Sync(channel, verifier, healer, [self.state], clock=lambda: self.now)

    def step_at(self, now: float) -> None:
        self.now = now
        self.sync.step(synced=False, epochs=Epochs(), version="")

    @property
    def untouched(self) -> bool:
        return self.journal.exists() and "SOA" not in self.zone.read_text() and not self.daemon.calls


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_slow_server_keeps_its_journal_while_it_is_loading(host: Host) -> None:
    """A busy host took more than four seconds; the older copy would undo updates that were acknowledged."""
    for now in (0.0, 5.0, 30.0, 59.0):
        host.step_at(now)
        assert host.untouched, now


def test_a_zone_that_is_missing_after_the_end_of_loading_is_replaced_at_once(host: Host) -> None:
    host.step_at(0.0)
    host.starts.write_text(f"{ALL_LOADED}\nrunning\n")
    host.step_at(2.0)
    assert "saved" in host.zone.read_text()
    assert (host.journal.exists(), host.daemon.calls) == (False, 1)


def test_a_zone_of_a_server_that_cannot_log_is_replaced_in_the_end(host: Host) -> None:
    """On a full disk the end of loading is not logged."""
    host.step_at(0.0)
    host.step_at(GRACE)
    assert "saved" in host.zone.read_text()
    assert (host.journal.exists(), host.daemon.calls) == (False, 1)

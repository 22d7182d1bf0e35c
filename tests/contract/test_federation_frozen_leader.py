"""A leader that was frozen before an update, and thaws when another one has written: the name server refuses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rancherctl.federation.inventory import MemoryInventory
from rancherctl.federation.names import fence_name
from rancherctl.federation.ownership import NameState
from rancherctl.federation.providers.rfc2136 import Rfc2136Provider
from rancherctl.federation.publisher import DnsPublisher
from tests.fakes import frozen_publisher
from tests.fakes.dns_provider import SETTINGS, service, shard
from tests.fakes.public_dns import ZONE, PublicDns

ROOT = Path(__file__).resolve().parents[2]
WEB = f"web.default.acme.svc.{ZONE}."
OTHER = "203.0.113.2"


@pytest.fixture
def bind(tmp_path: Path) -> Iterator[PublicDns]:
    with PublicDns(tmp_path / "bind") as server:
        yield server


@pytest.fixture
def frozen(bind: PublicDns) -> Iterator[subprocess.Popen[str]]:
    """A process that has published once, and was stopped when its second update was about to be sent."""
    command = [sys.executable, "-m", frozen_publisher.__name__, bind.address, str(bind.key_file())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        _, state = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(state), process.communicate()
        yield process
        process.kill()


def zone(bind: PublicDns) -> dict[str, NameState]:
    view = Rfc2136Provider(ZONE, [bind.address], bind.key).read(fence_name("acme", ZONE), ())
    return dict(view.names)


def test_a_leader_that_thaws_is_refused_by_the_name_server(bind: PublicDns, frozen: subprocess.Popen[str]) -> None:
    """Case 54, with a second process and SIGSTOP: it was checked before it froze, so only the server can refuse it."""
    assert zone(bind)[WEB].addresses() == (frozen_publisher.ADDRESS,)
    new = DnsPublisher(
        SETTINGS,
        Rfc2136Provider(ZONE, [bind.address], bind.key),
        gate=lambda: None,
        store=MemoryInventory(),
        clock=time.monotonic,
    )
    new.want([service("web", shard("m1", frozen_publisher.ADDRESS), shard("m2", OTHER))], {})
    new.step()
    wanted = zone(bind)
    assert wanted[WEB].addresses() == (frozen_publisher.ADDRESS, OTHER)
    frozen.send_signal(signal.SIGCONT)
    said, _ = frozen.communicate(timeout=60)
    assert "StaleFenceError" in said
    assert "has changed since it was read" in said
    assert zone(bind) == wanted


def test_a_leader_that_thaws_goes_on_if_no_other_has_written(bind: PublicDns, frozen: subprocess.Popen[str]) -> None:
    """The refusal above comes from the other leader, not from the pause."""
    frozen.send_signal(signal.SIGCONT)
    said, _ = frozen.communicate(timeout=60)
    assert said == "the update was carried out\n"
    assert zone(bind)[WEB].addresses() == (frozen_publisher.UNWANTED,)

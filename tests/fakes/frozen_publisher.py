"""A leader of a federation that freezes right before an update is sent: run as a program by contract tests.

Arguments: address of the name server, file with the key. It publishes ``web`` once, stops itself (SIGSTOP) in the last
check before the next update, and prints how that update ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from rancherctl.errors import RancherctlError
from rancherctl.federation.inventory import MemoryInventory
from rancherctl.federation.providers.rfc2136 import Rfc2136Provider
from rancherctl.federation.providers.tsig import parse_key
from rancherctl.federation.publisher import DnsPublisher
from tests.fakes.dns_provider import SETTINGS, service, shard

ADDRESS = "203.0.113.1"
UNWANTED = "203.0.113.9"


def main(server: str, key: str) -> None:
    freezing = False

    def gate() -> None:
        if freezing:
            os.kill(os.getpid(), signal.SIGSTOP)

    # The provider calls its gate when it is connected, before the first octet.
    provider = Rfc2136Provider(SETTINGS.zone, [server], parse_key(Path(key).read_text()), gate=gate)
    publisher = DnsPublisher(SETTINGS, provider, gate=lambda: None, store=MemoryInventory(), clock=time.monotonic)
    publisher.want([service("web", shard("m1", ADDRESS))], {})
    publisher.step()
    freezing = True
    publisher.want([service("web", shard("m9", UNWANTED))], {})
    try:
        publisher.step()
    except RancherctlError as error:
        print(f"{type(error).__name__}: {error}")
    else:
        print("the update was carried out")


if __name__ == "__main__":
    main(*sys.argv[1:])

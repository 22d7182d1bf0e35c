"""Reading whole zones beside the updates: after a restart, files may have been damaged in a way that still loads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from rancherctl.dns import observe
from rancherctl.dns.client import Channel
from rancherctl.errors import RancherctlError

log = logging.getLogger(__name__)


class Verifier:
    """One check at a time, in a thread with a connection of its own: 40,000 records take seconds, and no change shall wait for them."""

    def __init__(self, connect: Callable[[], Channel], zones: Sequence[str]) -> None:
        self._connect, self._zones = connect, tuple(zones)
        self._thread: threading.Thread | None = None
        self._damaged: tuple[str, ...] | None = None

    def begin(self) -> None:
        """Check all zones once; does nothing while a check runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="dns-verify", daemon=True)
            self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a check is under way, or its result was not taken yet."""
        return self._thread is not None

    def result(self) -> tuple[str, ...]:
        """The zones whose content is not what their marker says, once a check has ended; () otherwise."""
        if self._thread is None or self._thread.is_alive():
            return ()
        self._thread = None
        return self._damaged or ()

    def _run(self) -> None:
        channel = self._connect()
        self._damaged = None
        try:
            self._damaged = tuple(zone for zone in self._zones if not observe.whole(channel, zone))
        except RancherctlError as error:
            # A server that goes away meanwhile is checked again after the next connection.
            log.info("zones were not checked: %s", error)
        finally:
            channel.close()

"""Compare whole zones with their markers in the background: after a restart, damaged files may still load."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from rancherctl.dns import observe
from rancherctl.dns.client import Channel
from rancherctl.errors import RancherctlError

log = logging.getLogger(__name__)


class Verifier:
    """Runs one check at a time in a thread with its own connection.

    Reading 40,000 records takes seconds, and no change should wait for that.
    """

    def __init__(self, connect: Callable[[], Channel], zones: Sequence[str]) -> None:
        self._connect, self._zones = connect, tuple(zones)
        self._thread: threading.Thread | None = None
        self._damaged: tuple[str, ...] | None = None

    def begin(self) -> None:
        """Start a check of all zones; does nothing while one is running."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="dns-verify", daemon=True)
            self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a check is running or its result has not been fetched."""
        return self._thread is not None

    def result(self) -> tuple[str, ...]:
        """The zones that do not match their marker, once a check has ended; () otherwise."""
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
            # The next connection starts a new check.
            log.info("cannot check the zones: %s", error)
        finally:
            channel.close()

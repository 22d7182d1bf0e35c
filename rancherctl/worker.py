"""Worker: one background thread that repeats an action, backs off and logs a failure once.

Standard library and ``errors`` only: it runs on hosts, too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from rancherctl.errors import RancherctlError

log = logging.getLogger(__name__)
REMIND_SECONDS = 3600.0
"""An unchanged failure is logged again after this time, so that last night's journal still names it."""


class Worker:
    """Call ``action`` until stopped; it returns the seconds until the next call (None: only when woken).

    A failure never ends the thread: ``retry(error)`` returns the seconds to wait. It is logged when it begins, when
    its text changes and once an hour; the recovery is logged once. ``min_retry`` is the part of a failure pause, in
    seconds, during which wake-ups are remembered instead of acted on (None: the whole pause), so that one broken
    dependency does not spin. ``first`` delays the first call; a wake-up ends that delay.
    """

    def __init__(
        self,
        name: str,
        action: Callable[[], float | None],
        *,
        retry: Callable[[Exception], float],
        first: float = 0.0,
        min_retry: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._action, self._retry = action, retry
        self._first, self._min_retry, self._clock = first, min_retry, clock
        self._wake, self._stop = threading.Event(), threading.Event()
        self._failure, self._logged_at = "", 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; the first call comes after ``first`` seconds."""
        self._thread.start()

    def wake(self) -> None:
        """Ask for a call as soon as possible; any number of requests before the call count as one."""
        self._wake.set()

    @property
    def running(self) -> bool:
        """Whether the thread has started and not ended."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> threading.Event:
        """Set when the worker is to end: long actions wait on it instead of sleeping."""
        return self._stop

    def stop(self, timeout: float | None = 10.0) -> None:
        """End the thread after the call in progress; waits at most ``timeout`` seconds (None: does not wait)."""
        self._stop.set()
        self._wake.set()
        if timeout is not None and self.running and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def once(self) -> tuple[float | None, bool]:
        """Call the action once. Returns the seconds until the next call, and whether this one failed."""
        try:
            pause = self._action()
        except Exception as error:  # the border of a thread: no failure may end it silently
            wait, known = self._retry(error), isinstance(error, RancherctlError)
            text, now = str(error) if known else f"{type(error).__name__}: {error}", self._clock()
            if text != self._failure or now - self._logged_at >= REMIND_SECONDS:
                log.error(  # noqa: TRY400 - a traceback only for unexpected errors
                    "%s failed, retrying in %.1f s: %s", self.name, wait, text, exc_info=not known
                )
                self._logged_at = now
            self._failure = text
            return wait, True
        if self._failure:
            log.info("%s recovered", self.name)
        self._failure = ""
        return pause, False

    def _run(self) -> None:
        pause: float | None = self._first
        failed = False
        while True:
            if failed and pause is not None:
                ignored = pause if self._min_retry is None else min(pause, self._min_retry)
                self._stop.wait(ignored)
                pause -= ignored
            if pause is None or pause > 0:
                self._wake.wait(pause)
            # Cleared after the wait, not before the call: a request that arrives during a call is never lost.
            self._wake.clear()
            if self._stop.is_set():
                return
            pause, failed = self.once()

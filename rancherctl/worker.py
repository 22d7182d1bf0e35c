"""One background thread that repeats an action: woken or after a pause, backing off when it fails, logging a failure once. Used on hosts too."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from rancherctl.errors import RancherctlError

log = logging.getLogger(__name__)


class Worker:
    """Calls ``action`` until stopped. ``action`` returns the seconds until the next call (None: only when woken).

    A failure never ends the thread: ``retry(error)`` gives the seconds to wait; it is logged when it begins and when its text
    changes, and the recovery is logged once. Wake-ups during a failure pause are remembered, not acted on, so that one broken
    dependency does not spin.
    """

    def __init__(self, name: str, action: Callable[[], float | None], *, retry: Callable[[Exception], float]) -> None:
        self.name = name
        self._action, self._retry = action, retry
        self._wake, self._stop = threading.Event(), threading.Event()
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; the first call comes at once."""
        self._thread.start()

    def wake(self) -> None:
        """Ask for a call as soon as possible."""
        self._wake.set()

    @property
    def stopping(self) -> threading.Event:
        """Set when the worker is to end: long actions wait on it instead of sleeping."""
        return self._stop

    def stop(self, timeout: float | None = 10.0) -> None:
        """End the thread after the call under way; returns after ``timeout`` seconds at the latest (None: without waiting)."""
        self._stop.set()
        self._wake.set()
        if timeout is not None and self._thread.is_alive():
            self._thread.join(timeout)

    def once(self) -> tuple[float | None, bool]:
        """One call of the action: (seconds until the next, whether it failed)."""
        try:
            pause = self._action()
        except Exception as error:  # the border of a thread: whatever fails must not end it silently
            wait = self._retry(error)
            text = str(error) if isinstance(error, RancherctlError) else f"{type(error).__name__}: {error}"
            if text != self._failure:
                log.error(  # noqa: TRY400 - a traceback only where the error is not ours
                    "%s failed, retrying in %.1f s: %s",
                    self.name,
                    wait,
                    text,
                    exc_info=not isinstance(error, RancherctlError),
                )
            self._failure = text
            return wait, True
        if self._failure:
            log.info("%s recovered", self.name)
        self._failure = ""
        return pause, False

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            pause, failed = self.once()
            (self._stop if failed else self._wake).wait(pause)

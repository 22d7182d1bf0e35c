"""Reloading: have HAProxy's master start a new worker with the files on disk, and wait until that answers."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable
from typing import Final

from rancherctl.contract import INGRESS_UNIT
from rancherctl.ingress.haproxy import observe
from rancherctl.ingress.haproxy.render import Paths
from rancherctl.ingress.haproxy.runtime import HaproxyError, Socket
from rancherctl.polling import poll_until

UNIT: Final = INGRESS_UNIT
RELOAD_TIMEOUT: Final = 5.0
"""Seconds for the master's answer."""
log = logging.getLogger(__name__)


def restart_unit() -> None:
    """Restart HAProxy's unit. Raises HaproxyError."""
    try:
        subprocess.run(["systemctl", "restart", UNIT], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise HaproxyError(f"cannot restart {UNIT}", why=str(error), hint=f"see journalctl -u {UNIT}") from error


class Reloading:
    """``restart`` starts HAProxy if its ``master`` is gone."""

    def __init__(self, paths: Paths, master: Socket, restart: Callable[[], None]) -> None:
        self._paths, self._master, self._restart = paths, master, restart
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End a wait that is under way."""
        self._stopping.set()

    def ask(self, generation: str, limit: float) -> observe.Reloads:
        """Ask the master for a new worker; returns the reloads before. ``limit`` in seconds for the worker to answer.

        Raises HaproxyError.
        """
        before = self._reloads()
        try:
            answer = self._master.send("reload", allow_empty=True)
        except HaproxyError as error:
            gone = isinstance(error.__cause__, (FileNotFoundError, ConnectionRefusedError))
            self._await_or_restart(generation, limit, gone=gone)
        else:
            # HAProxy 2.6 answers nothing. Since 2.7 it waits for the new worker and reports success or failure.
            if answer.startswith("Success=0"):
                raise HaproxyError("HAProxy could not load its files", why=answer[-500:])
        return before

    def wait(self, generation: str, limit: float, before: observe.Reloads | None = None) -> None:
        """Wait until the worker answers, or until the master says that its reload after ``before`` failed.

        Raises HaproxyError.
        """
        worker = Socket(self._paths.socket(generation))
        last, failed = "no worker answered", False

        def ended() -> bool:
            nonlocal last, failed
            try:
                observe.info(worker)
            except HaproxyError as error:
                last = str(error)
                failed = before is not None and self._reloads().failed_after(before)
                return failed
            return True

        if poll_until(ended, limit, first=0.005, largest=0.2, stop=self._stopping):
            if failed:
                raise HaproxyError("HAProxy could not load its files", why=last, hint=f"see journalctl -u {UNIT}")
            return
        if self._stopping.is_set():
            raise HaproxyError("the agent is stopping")
        raise HaproxyError(
            f"HAProxy did not load its new configuration within {limit:.0f} s",
            why=last,
            hint=f"see journalctl -u {UNIT}",
        )

    def _reloads(self) -> observe.Reloads:
        try:
            return observe.reloads(self._master)
        except HaproxyError:
            return observe.Reloads()

    def _await_or_restart(self, generation: str, limit: float, *, gone: bool) -> None:
        """Restart HAProxy if its master is ``gone``, or if no new worker answers.

        A master whose answer was lost may still be reloading, and a restart cuts all connections, so wait first.
        """
        if not gone:
            try:
                self.wait(generation, limit)
            except HaproxyError as error:
                if self._stopping.is_set():
                    raise
                log.warning("restarting HAProxy, its master does not reload: %s", error)
            else:
                return
        self._restart()

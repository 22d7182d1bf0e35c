"""The master: one ssh process that is logged in to a host and lends its connection at a control socket.

It ends with ``close``, and also when this process ends in any way: a watcher in its process group waits at a pipe that
only this process holds.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rancherctl.hosts.openssh import folder as folders
from rancherctl.hosts.openssh.folder import CONTROL, LOG
from rancherctl.hosts.openssh.messages import is_ready

KEPT: Final = 1 << 16
"""Bytes that are kept of the log and of standard error, each."""
MOST: Final = 1 << 20
"""The same of the log of a login, which a server can make long."""
TERM_PAUSES: Final = (0.1, 0.2, 0.4, 1.3)
"""Seconds that ssh has to end after each SIGTERM, before it is killed.

A signal that comes just before ssh waits for its connections is only noticed with the next event (OpenSSH 9.2).
"""
_READ: Final = 1 << 16
_ENDED: Final = b"\0"
"""Written to the log's pipe after the end of ssh, whose messages contain no such byte: a pipe less per host."""
_START: Final = """\
folder=$1; shift
exec 3<&0 </dev/null
(
  trap '' TERM
  exec >/dev/null 2>&1
  read -r _ <&3
  kill -TERM 0
  rm -rf -- "$folder"
  sleep 1
  kill -KILL 0
) &
exec 3<&-
exec "$@"
"""


class Master:
    """A started master. ``changed`` guards and announces ``ready``, ``ended``, ``log``, ``noise`` and ``heard``."""

    def __init__(self, argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.control = str(folder / CONTROL)
        self.changed = threading.Condition()
        self.ready = False
        self.ended = False
        self.heard = time.monotonic()
        """When the log grew for the last time."""
        self._signals = threading.RLock()
        self._gone = False
        self._log = bytearray()
        self._noise = bytearray()
        os.mkfifo(folder / LOG, 0o600)
        # open for writing, too: a reader alone would see an end of file before ssh has opened it
        self._log_end = os.open(folder / LOG, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        watched, self._alive = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _START, "rancherctl-ssh", str(folder), *argv],
                stdin=watched,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=dict(environ),
            )
        except BaseException:
            os.close(self._alive)
            os.close(self._log_end)
            raise
        finally:
            os.close(watched)
        threading.Thread(target=self._await_end, name="end of the ssh master", daemon=True).start()
        self._thread = threading.Thread(target=self._follow, name="ssh master", daemon=True)
        self._thread.start()

    @property
    def log(self) -> str:
        """What ssh logged so far, at level DEBUG1; its end, if it is long."""
        return self._log.decode("utf-8", "replace")

    @property
    def noise(self) -> str:
        """What came to its standard error: from a ProxyCommand, or the server's banner."""
        return self._noise.decode("utf-8", "replace")

    def wait_for(self, check: Callable[[], bool], seconds: float) -> bool:
        """Whether ``check`` became true within the time; it is called whenever something has changed."""
        with self.changed:
            return self.changed.wait_for(check, seconds)

    def wake(self) -> None:
        """Have those that wait look again."""
        with self.changed:
            self.heard = time.monotonic()
            self.changed.notify_all()

    def close(self) -> None:
        """End ssh and everything that it started; safe to call twice and from several threads."""
        for pause in TERM_PAUSES:
            self._signal(signal.SIGTERM)
            self._thread.join(pause)
        self._signal(signal.SIGKILL)
        self._thread.join()

    def _follow(self) -> None:
        """Read until ssh has ended, then remove what is left of it."""
        assert self._process.stderr
        errors = self._process.stderr.fileno()
        os.set_blocking(errors, False)
        sources = select.poll()
        for source in (errors, self._log_end):
            sources.register(source, select.POLLIN)
        running = True
        while running:
            for source, _ in sources.poll():
                data = self._read(source)
                if source == self._log_end:
                    running = not data.endswith(_ENDED)
                    self._heard(source, data.rstrip(_ENDED))
                elif data:
                    self._heard(source, data)
                else:
                    sources.unregister(errors)
        while data := self._read(errors):
            self._heard(errors, data)
        os.close(self._alive)
        os.close(self._log_end)
        self._process.stderr.close()
        folders.remove(self.folder)
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _await_end(self) -> None:
        self._process.wait()
        with self._signals:
            # what ssh has started, and the watcher; after this the number may belong to others
            self._signal(signal.SIGKILL)
            self._gone = True
        while True:
            try:
                os.write(self._log_end, _ENDED)
            except BlockingIOError:
                select.select([], [self._log_end], [])
            else:
                return

    def _heard(self, source: int, data: bytes) -> None:
        with self.changed:
            kept = self._log if source == self._log_end else self._noise
            kept += data
            if kept is self._log:
                self.heard = time.monotonic()
                self.ready = self.ready or is_ready(self.log)
            # all of a login may explain its failure; afterwards only the end is of use
            del kept[: -(KEPT if self.ready or kept is self._noise else MOST)]
            self.changed.notify_all()

    @staticmethod
    def _read(source: int) -> bytes:
        try:
            return os.read(source, _READ)
        except BlockingIOError:
            return b""

    def _signal(self, number: signal.Signals) -> None:
        # the watcher ignores SIGTERM, so the group exists until SIGKILL
        with self._signals, contextlib.suppress(ProcessLookupError, PermissionError):
            if not self._gone:
                os.killpg(self._process.pid, number)

"""The reader of the access log, a process of its own: from HAProxy's datagram socket to a file of bounded size.

systemd opens the socket and keeps it while this process restarts. Lines that cannot be written are counted, and their
number becomes a record as soon as one can be written. Those that the socket has no room for are counted by HAProxy
(``DroppedLogs``), which never waits.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rancherctl.contract import ACCESS_LOG
from rancherctl.errors import UsageError
from rancherctl.ingress.haproxy.access_log import MAX_LINE, record

FILE_SIZE: Final = 16 << 20
FILES: Final = 4
"""Bytes of one file, and how many there are: the newest has no number."""
BATCH: Final = 200
"""Lines that are written together if so many wait."""
FIRST_FD: Final = 3
"""The first socket of sd_listen_fds(3)."""
log = logging.getLogger(__name__)


def names(path: str = ACCESS_LOG, files: int = FILES) -> list[str]:
    """The paths of all files, the newest first."""
    return [path, *(f"{path}.{n}" for n in range(1, files))]


class LogFile:
    """Appends to a file, and starts another one when it is full."""

    def __init__(self, path: Path, *, size: int = FILE_SIZE, files: int = FILES) -> None:
        self._paths = [Path(name) for name in names(str(path), files)]
        self._size = size

    def append(self, data: bytes) -> None:
        """Append whole lines. Raises OSError; then the file has none of them."""
        if self._length() + len(data) > self._size:
            self._rotate()
        fd = os.open(self._paths[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            before = os.fstat(fd).st_size
            if os.write(fd, data) != len(data):
                os.ftruncate(fd, before)
                raise OSError(f"no space left for {self._paths[0]}")
        finally:
            os.close(fd)

    def _length(self) -> int:
        try:
            return self._paths[0].stat().st_size
        except FileNotFoundError:
            return 0

    def _rotate(self) -> None:
        for number in range(len(self._paths) - 1, 0, -1):
            if self._paths[number - 1].exists():
                self._paths[number - 1].replace(self._paths[number])


class Reader:
    """Reads lines from ``sock`` into ``file``. ``now`` is in seconds since 1970."""

    def __init__(self, sock: socket.socket, file: LogFile, now: Callable[[], float] = time.time) -> None:
        self._sock, self._file, self._now = sock, file, now
        self._dropped, self._reason = 0, ""

    def step(self) -> None:
        """Wait for a line, and write it together with those that wait behind it."""
        lines = [self._sock.recv(MAX_LINE)]
        while len(lines) < BATCH:
            try:
                lines.append(self._sock.recv(MAX_LINE, socket.MSG_DONTWAIT))
            except BlockingIOError:
                break
        records = [*self._records(lines)]
        if self._dropped:
            records.insert(0, {"time": self._time(), "dropped": self._dropped, "reason": self._reason})
        if not records:
            return
        try:
            self._file.append(b"".join(json.dumps(r, separators=(",", ":")).encode() + b"\n" for r in records))
        except OSError as error:
            self._drop(len(records) - bool(self._dropped), str(error))
        else:
            self._dropped = 0

    def _records(self, lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
        for line in lines:
            try:
                found = record(line)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                self._drop(1, f"not a line of the access log: {error}")
            else:
                if found is not None:
                    yield found

    def _drop(self, count: int, reason: str) -> None:
        if not self._dropped:
            log.warning("lines of the access log are dropped: %s", reason)
        self._dropped, self._reason = self._dropped + count, reason

    def _time(self) -> str:
        return datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run() -> None:
    """Read for good from the socket that systemd passed. UsageError: it passed none."""
    if os.environ.get("LISTEN_FDS") != "1":
        raise UsageError("no socket", hint="rancherctl-access-log.socket starts this program")
    with socket.socket(fileno=FIRST_FD) as sock:
        reader = Reader(sock, LogFile(Path(ACCESS_LOG)))
        while True:
            reader.step()

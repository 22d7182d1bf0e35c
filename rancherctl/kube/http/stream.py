"""The body of a watch as batches of events: all events that have arrived form one batch, so bursts coalesce."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator

from rancherctl.errors import RancherctlError, UnreachableError
from rancherctl.kube.client import Json, WatchEvent
from rancherctl.kube.decode import acyclic
from rancherctl.kube.http.failures import failure
from rancherctl.kube.http.framing import Dechunker, FramingError, Lines
from rancherctl.kube.http.pool import Connection

READ = 256 * 1024
BATCH_EVENTS = 4096
"""A batch ends here even if more has arrived: readers see progress during the longest burst."""
GATHER_SECONDS = 0.005
"""Seconds. The first event passes at once; later batches within this time are merged: a burst costs few snapshots."""


class WatchStream:
    """Iterate for batches (non-empty tuples of WatchEvent). Ends when the server ends the watch.

    Raises UnreachableError after ``silence`` seconds without a byte or when the connection breaks, and what ``failure``
    makes of an ERROR
    event (GoneError for 410). ``close`` may be called from another thread: the iteration then ends.
    """

    def __init__(
        self,
        what: str,
        connection: Connection,
        response: http.client.HTTPResponse,
        silence: float,
        done: Callable[[WatchStream], None],
    ) -> None:
        self._what, self._connection, self._response = what, connection, response
        self._silence, self._done = silence, done
        self._decode = Dechunker() if response.chunked else None
        self._lines = Lines()
        self._closed = threading.Event()
        self._handed_on = 0.0

    def __iter__(self) -> Iterator[tuple[WatchEvent, ...]]:
        try:
            while not self._closed.is_set():
                batch, failed = self._batch()
                if batch:
                    self._handed_on = time.monotonic()
                    yield batch
                if failed:
                    raise failed
                if self._at_end():
                    return
        finally:
            self._release()

    def close(self) -> None:
        """End the watch now, from any thread."""
        self._closed.set()
        self._connection.interrupt()

    def _at_end(self) -> bool:
        return self._connection.ended or (self._decode is not None and self._decode.ended)

    def _release(self) -> None:
        self._closed.set()
        self._response.close()
        self._connection.close()
        self._done(self)

    def _batch(self) -> tuple[tuple[WatchEvent, ...], RancherctlError | None]:
        """Wait for bytes, then take all that is there; an error comes with the events that arrived before it."""
        events: list[WatchEvent] = []
        self._connection.deadline = time.monotonic() + self._silence
        try:
            data = self._read()
            while data:
                lines = self._lines.feed(self._decode.feed(data) if self._decode else data)
                with acyclic():
                    for line in lines:
                        events.append(self._event(line))  # noqa: PERF401  # one by one: events before an ERROR are kept
                if self._at_end() or len(events) >= BATCH_EVENTS:
                    break
                data = self._read_more()
        except RancherctlError as e:
            return tuple(events), e
        except TimeoutError:
            why = f"nothing was heard for {self._silence:.0f} s, bookmarks included"
            return tuple(events), UnreachableError(f"{self._what}: the watch went silent", why=why)
        except (OSError, FramingError, http.client.HTTPException) as e:
            if self._closed.is_set():
                return tuple(events), None
            return tuple(events), UnreachableError(f"{self._what}: the watch broke off", why=str(e) or type(e).__name__)
        finally:
            self._connection.waits = True
        return tuple(events), None

    def _read_more(self) -> bytes:
        """What has arrived by now, or arrives before the gathering time is over."""
        self._connection.waits = False
        data = self._read()
        until = self._handed_on + GATHER_SECONDS
        if data or self._connection.ended or time.monotonic() >= until:
            return data
        self._connection.waits = True
        self._connection.deadline = until
        try:
            return self._read()
        except TimeoutError:
            return b""

    def _read(self) -> bytes:
        reader = self._response.fp
        return reader.read1(READ) if reader else b""

    def _event(self, line: bytes) -> WatchEvent:
        try:
            frame: Json = json.loads(line)
            kind, obj = frame["type"], frame["object"]
        except (ValueError, KeyError, TypeError) as e:
            raise UnreachableError(
                f"{self._what}: the watch sent something that is not an event",
                why=line[:200].decode("utf-8", "replace"),
            ) from e
        if kind == "ERROR":
            raise failure(self._what, int(obj.get("code") or 500), obj)
        return WatchEvent(kind, obj)

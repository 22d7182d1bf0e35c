"""A port on this machine whose connections go on from a host: the way to an API that has no address that can be reached from here."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any, Protocol, runtime_checkable

from rancherctl.errors import RancherctlError

BLOCK = 65536
PAUSE = 0.2
"""Seconds before the next try when no connection could be taken."""


@runtime_checkable
class Forwards(Protocol):
    """A transport that can open TCP connections from its host."""

    def channel(self, address: str, port: int) -> Any:
        """A connection from the host to ``address:port``, with the methods of a socket. UnreachableError when the host cannot."""


class Forward:
    """Listens on 127.0.0.1 at a free ``port`` from the start until ``close``; a context manager.

    ``transport`` opens the far ends. A connection whose far end cannot be opened is closed at once: its user sees that, and why in ``problem``.
    """

    def __init__(self, transport: Forwards, address: str, port: int) -> None:
        self._transport, self._target = transport, (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.problem = ""
        self._open: set[Any] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._accept, name="forward", daemon=True).start()

    def __enter__(self) -> Forward:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it and all connections through it."""
        with self._lock:
            self._ended.set()
            ends = [self._listener, *self._open]
            self._open.clear()
        for end in ends:
            _end(end)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError as error:
                if self._ended.is_set():
                    return
                # too many open files, or a guest that is gone again: neither is the end
                self.problem = str(error)
                self._ended.wait(PAUSE)
                continue
            threading.Thread(target=self._join, args=(near,), name="forward", daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        try:
            far = self._transport.channel(*self._target)
        except RancherctlError as error:
            self.problem = str(error)
            _end(near)
            return
        with self._lock:
            if not self._ended.is_set():
                self._open |= {near, far}
        if self._ended.is_set():
            _end(near)
            _end(far)
            return
        back = threading.Thread(target=_copy, args=(far, near), name="forward", daemon=True)
        back.start()
        _copy(near, far)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()


def _copy(source: Any, target: Any) -> None:
    """Until the source ends; then the target is told that no more comes."""
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(BLOCK):
            target.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        target.shutdown(socket.SHUT_WR) if isinstance(target, socket.socket) else target.shutdown_write()


def _end(end: Any) -> None:
    """Wake whoever reads it, then close it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()

"""Local TCP port forwarding through a host.

The way to an API whose address cannot be reached from this machine.
"""

from __future__ import annotations

import contextlib
import socket
import threading

from rancherctl.errors import RancherctlError
from rancherctl.hosts.transport import Stream, TcpOpener

BLOCK = 65536
PAUSE = 0.2
"""Seconds before the next try after a connection could not be accepted."""


class PortForward:
    """Listens on 127.0.0.1 at a free ``port`` until ``close``; a context manager.

    ``transport`` opens the remote ends. If one cannot be opened, the local connection is closed at once and ``problem``
    says why.
    """

    def __init__(self, transport: TcpOpener, address: str, port: int) -> None:
        self._transport, self._target = transport, (address, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.problem = ""
        self._open: set[Stream] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._accept, name="forward", daemon=True).start()

    def __enter__(self) -> PortForward:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and close all forwarded connections."""
        with self._lock:
            self._closed.set()
            ends: list[Stream] = [self._listener, *self._open]
            self._open.clear()
        for end in ends:
            _close(end)

    def _accept(self) -> None:
        while True:
            try:
                local, _ = self._listener.accept()
            except OSError as error:
                if self._closed.is_set():
                    return
                # too many open files, or a client that has already left: neither ends the forwarding
                self.problem = str(error)
                self._closed.wait(PAUSE)
                continue
            threading.Thread(target=self._serve, args=(local,), name="forward", daemon=True).start()

    def _serve(self, local: Stream) -> None:
        try:
            remote = self._transport.open_tcp(*self._target)
        except RancherctlError as error:
            self.problem = str(error)
            _close(local)
            return
        with self._lock:
            if not self._closed.is_set():
                self._open |= {local, remote}
        if self._closed.is_set():
            _close(local)
            _close(remote)
            return
        back = threading.Thread(target=_copy, args=(remote, local), name="forward", daemon=True)
        back.start()
        _copy(local, remote)
        back.join()
        with self._lock:
            self._open -= {local, remote}
        local.close()
        remote.close()


def _copy(source: Stream, target: Stream) -> None:
    """Copy until the source ends, then end the target's input."""
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(BLOCK):
            target.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        target.shutdown(socket.SHUT_WR)


def _close(end: Stream) -> None:
    """Wake every thread that reads it, then close it."""
    with contextlib.suppress(OSError, EOFError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()

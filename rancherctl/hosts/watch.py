"""Notice a peer that has fallen silent: a question is sent now and then, and no answer within the limit ends the connection.

TCP alone does not tell: behind a jump host the connection ends there, and a frozen server's kernel goes on to acknowledge.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol


class Connection(Protocol):
    """What is used of an ssh connection; ``global_request`` with ``wait`` returns when the peer has answered or the connection has ended."""

    def global_request(self, kind: str, data: Any = None, wait: bool = True) -> Any: ...
    def is_active(self) -> bool: ...
    def close(self) -> None: ...


def watch(connection: Connection, closed: threading.Event, *, every: float, silence: float) -> threading.Thread:
    """Ask every ``every`` seconds until ``closed`` or the connection's end; close it after ``silence`` seconds without an answer."""
    thread = threading.Thread(target=_watch, args=(connection, closed, every, silence), name="keepalive", daemon=True)
    thread.start()
    return thread


def _watch(connection: Connection, closed: threading.Event, every: float, silence: float) -> None:
    while not closed.wait(every) and connection.is_active():
        question = threading.Thread(target=_ask, args=(connection,), name="keepalive question", daemon=True)
        question.start()
        question.join(silence)
        if question.is_alive():
            connection.close()
            return


def _ask(connection: Connection) -> None:
    try:
        # a request that is refused is an answer too
        connection.global_request("keepalive@openssh.com")
    except Exception:  # noqa: BLE001 - whatever keeps a question from being sent, the connection is of no more use
        connection.close()

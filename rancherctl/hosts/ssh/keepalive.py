"""Close a connection whose peer has fallen silent.

A request is sent regularly, and no answer within the limit means it is dead.

TCP alone does not notice: behind a jump host the TCP connection ends there, and a frozen server's kernel keeps
acknowledging.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol


class KeepaliveConnection(Protocol):
    """What is used of a connection.

    ``global_request`` with ``wait`` returns after the answer or the end of the connection.
    """

    def global_request(self, kind: str, data: Any = None, wait: bool = True) -> Any: ...
    def is_active(self) -> bool: ...
    def close(self) -> None: ...


def keep_alive(
    connection: KeepaliveConnection, closed: threading.Event, *, every: float, silence: float
) -> threading.Thread:
    """Send a request every ``every`` seconds until ``closed``.

    Close the connection after ``silence`` seconds without answer.
    """
    thread = threading.Thread(target=_run, args=(connection, closed, every, silence), name="keepalive", daemon=True)
    thread.start()
    return thread


def _run(connection: KeepaliveConnection, closed: threading.Event, every: float, silence: float) -> None:
    while not closed.wait(every) and connection.is_active():
        request = threading.Thread(target=_request, args=(connection,), name="keepalive request", daemon=True)
        request.start()
        request.join(silence)
        if request.is_alive():
            connection.close()
            return


def _request(connection: KeepaliveConnection) -> None:
    try:
        # a refusal is an answer, too
        connection.global_request("keepalive@openssh.com")
    except Exception:  # noqa: BLE001 - whatever prevents a request, the connection is unusable
        connection.close()

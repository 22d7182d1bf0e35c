"""Try TCP connections from a host: which of its future peers are blocked.

A refused connection counts as open: no filter dropped it.
"""

from __future__ import annotations

import concurrent.futures
import socket
from typing import Any

PARALLEL = 32


def connect(request: dict[str, Any]) -> dict[str, Any]:
    """Answer ``{"blocked".

    [[address, port, reason], …]}`` for ``targets`` ([address, port] each), with ``timeout`` seconds for each.
    """
    timeout = request["timeout"]

    def reason(target: list[Any]) -> str:
        try:
            socket.create_connection((target[0], target[1]), timeout).close()
        except ConnectionRefusedError:
            return ""
        except OSError as error:
            return error.strerror or f"no answer within {timeout:g} s"
        return ""

    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        reasons = list(pool.map(reason, request["targets"]))
    return {"blocked": [[*target, why] for target, why in zip(request["targets"], reasons, strict=True) if why]}


OPERATIONS = {"connect": connect}

"""Whether an ssh agent answers. ssh itself waits for it without a limit."""

from __future__ import annotations

import socket
import struct
from typing import Final

LIMIT: Final = 5.0
"""Seconds for the list of keys."""
_LIST: Final = 11


def agent_problem(path: str) -> str:
    """Why the agent at a socket cannot be used because it hangs; "" if it answers, or ssh will say what is wrong."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(LIMIT)
        try:
            agent.connect(path)
            agent.sendall(struct.pack(">IB", 1, _LIST))
            agent.recv(4)
        except TimeoutError:
            return f"did not answer within {LIMIT:.0f} s"
        except OSError as error:
            return f"cannot be reached: {error.strerror or error}"
    return ""

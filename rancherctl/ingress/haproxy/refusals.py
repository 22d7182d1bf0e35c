"""What HAProxy refused or cut: a log in its memory, read through its socket. Pure.

A client gets 400, 502 or 504, and cannot see why. HAProxy keeps a line for each such case in a ring buffer of fixed
size. They are those of the access log that tell of an error, cut off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

RING: Final = "refusals"
COMMAND: Final = f"show events {RING}"
GLOBAL_TEXT: Final = f"""
ring {RING}
  format raw
  maxlen 256
  size 65536
"""
START: Final = "%Ts %rt %ci:%cp %ts"
"""The first words of each line; the pool follows."""
NO_POOL: Final = "-"

Kind = Literal["request", "response", "timeout"]
_KINDS: Final[dict[str, Kind]] = {"PR": "request", "PH": "response", "sH": "timeout", "sD": "timeout"}
"""By HAProxy's termination state. PR is also what rules of a pool refuse."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One line. ``request``: malformed, or too large a header; ``response``: the same of a pool's server.

    ``timeout``: a server sent nothing for as long as it may. ``pool`` is HAProxy's backend, "" for a request.
    """

    kind: Kind
    client: str
    pool: str


def new_lines(answer: str, last: str) -> list[str]:
    """The lines of the ring after ``last``, the newest line at the previous call ("" = none).

    All of them if ``last`` is gone: the ring is full of newer ones, or the process is another.
    """
    lines = [line for line in answer.splitlines() if line]
    return lines[lines.index(last) + 1 :] if last in lines else lines


def parse(lines: Iterable[str]) -> list[Refusal]:
    """The refusals among the lines; other errors are left out."""
    out: list[Refusal] = []
    for line in lines:
        _, _, client, state, pool = [*line.split(" ", 5)[:5], *[""] * 5][:5]
        if pool and (kind := _KINDS.get(state)) and (kind == "request") == (pool == NO_POOL):
            out.append(Refusal(kind, client, "" if kind == "request" else pool))
    return out

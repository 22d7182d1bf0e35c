"""Lines of the access log: HAProxy's format, and the record that a line becomes. Pure.

HAProxy writes JSON itself, from variables that it sets for routing: what a client sent is cut and escaped. It sends
each line to a datagram socket and never waits. Requests that were refused, interrupted or answered with 500 and above
have the level ``err``, those of pools that log all requests the level ``notice``, all others ``info``, which no target
takes. HAProxy decides by front end whether it makes lines for these: without any pool that logs all, it does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from rancherctl.ingress.haproxy import refusals

ALL: Final = "notice"
"""The level of requests whose pool logs all of them."""
MAX_PATH: Final = 1024
MAX_HOST: Final = 253
MAX_LINE: Final = 16 << 10
"""Bytes; JSON takes six for some of the path."""
_CONNECTION: Final = '"time":"%Ts.%ms","client":"%ci","tls":"%sslv","termination":"%ts"'


def frontend_lines(socket: str, map_file: Callable[[str], str], *, log_all: bool) -> str:
    """Lines of a front end that listens. ``log_all``: whether any pool logs requests without an error."""
    of_pool = {name: f"%[var(txn.pool),map_str({map_file(name)})]" for name in ("ingress", "access-log")}
    cut = {name: f"%[var(txn.{name}),bytes(0,{most}),json(utf8s)]" for name, most in _CUT.items()}
    request = (
        f'{_CONNECTION},"mode":"{of_pool["access-log"]}","ingress":"{of_pool["ingress"]}","host":"{cut["host"]}",'
        f'"method":"%HM","path":"{cut["path"]}","status":%ST,"server":"%si:%sp","retries":"%rc",'
        '"bytes":{"in":%U,"out":%B},"ms":{"request":%TR,"queue":%Tw,"connect":%Tc,"response":%Tr,"total":%Ta}'
    )
    lines = (
        f"log ring@{refusals.RING} format raw local0 err",
        f"log {socket} len {MAX_LINE} format raw local0 {ALL}",
        "option log-separate-errors",
        "option dontlognull",
        *(() if log_all else ("option dontlog-normal",)),
        f"log-format '{refusals.START} %b {{{request}}}'",
        f"error-log-format '{refusals.START} {refusals.NO_POOL} {{{_CONNECTION}}}'",
    )
    return "".join(f"  {line}\n" for line in lines)


def pool_lines(file: str, *, answers: bool) -> list[str]:
    """Lines of a profile whose pools log all requests if the map says so. ``answers``: all without a service."""
    logged = "{ var(txn.log) -m str true }"
    # The load balancer answers preflights itself; its other answers are errors, which are logged anyway.
    return [
        f"http-request set-var(txn.log) be_name,map_str({file})",
        f"http-request set-log-level {ALL} if {logged}{'' if answers else ' { method OPTIONS }'}",
        *(() if answers else (f"http-response set-log-level {ALL} if {logged}",)),
    ]


_CUT: Final = {"host": MAX_HOST, "path": MAX_PATH}


def record(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None if it is not to be logged: HAProxy also says which front ends it stops.

    ``time`` becomes that of ISO 8601, times in milliseconds are -1 for what was not reached, and what is not known is
    left out. Raises ValueError, LookupError, TypeError or AttributeError for a line that is damaged.
    """
    if not line[:1].isdigit():
        return None
    found = json.loads(line.split(b" ", 5)[5])
    if found.pop("mode", "") == "false":
        return None
    seconds, _, milliseconds = found["time"].partition(".")
    moment = datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    found["time"] = f"{moment}.{milliseconds}Z"
    if "retries" in found:
        found["retries"] = int(found["retries"])
    return {key: value for key, value in found.items() if value not in ("", "-", "-:-", "<BADREQ>")}

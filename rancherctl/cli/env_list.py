"""Rows of ``env ls``: the known environments, and whether their APIs answer, all asked at once."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from rancherctl.cli.known import Known
from rancherctl.errors import InvalidInputError

PATIENCE: Final = 2.0
"""Seconds for one API."""


def rows(known: Known) -> list[Mapping[str, Any]]:
    """One row per known environment; a file that cannot be read is a row with its problem."""
    names, chosen = known.names(), known.chosen()
    if not names:
        return []
    with ThreadPoolExecutor(max_workers=min(30, len(names))) as pool:
        return list(pool.map(lambda name: _row(known, name, chosen=name == chosen), names))


def _row(known: Known, name: str, *, chosen: bool) -> Mapping[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "chosen": chosen,
        "kubernetes": "",
        "hosts": None,
        "server": "",
        "labels": {},
        "reachable": None,
        "problem": "",
    }
    try:
        environment = known.read(name)
    except InvalidInputError as error:
        return row | {"problem": error.problems[0] if error.problems else str(error)}
    host, _, port = environment.api_endpoint().rpartition(":")
    problem = reach(host.strip("[]"), int(port))
    shown = {
        "kubernetes": environment.kubernetes,
        "hosts": len(environment.hosts),
        "server": environment.server(),
        "labels": dict(environment.labels),
    }
    return row | shown | {"reachable": not problem, "problem": problem}


def reach(host: str, port: int) -> str:
    """Why a TCP connection to the API fails, "" when it does not."""
    try:
        with socket.create_connection((host, port), timeout=PATIENCE):
            return ""
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} s"
    except OSError as error:
        return error.strerror or str(error)

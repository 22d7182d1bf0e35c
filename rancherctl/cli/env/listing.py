"""Rows of ``env ls``: the known environments, and whether their APIs answer, all asked at once."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rancherctl.cli.env.known import Known
from rancherctl.errors import InvalidInputError, NotFoundError

PATIENCE: Final = 2.0
"""Seconds for one API."""
GRACE: Final = 0.2
"""Seconds more for all of them, so that each can tell its own reason."""


def rows(known: Known) -> Sequence[Mapping[str, Any]]:
    """One row per known environment; a file that cannot be read is a row with its problem, one that another run just removed is none."""
    chosen, found, ends = known.chosen(), list[dict[str, Any]](), dict[str, tuple[str, int]]()
    for name in known.names():
        row: dict[str, Any] = {
            "name": name,
            "chosen": name == chosen,
            "kubernetes": "",
            "hosts": None,
            "server": "",
            "labels": {},
        }
        found.append(row | {"reachable": None, "problem": ""})
        try:
            environment = known.read(name)
        except InvalidInputError as error:
            found[-1]["problem"] = error.problems[0] if error.problems else str(error)
            continue
        except NotFoundError:
            del found[-1]
            continue
        host, _, port = environment.api_endpoint().rpartition(":")
        ends[name] = (host.strip("[]"), int(port))
        found[-1] |= {
            "kubernetes": environment.kubernetes,
            "hosts": len(environment.hosts),
            "server": environment.server(),
            "labels": dict(environment.labels),
        }
    for name, problem in answers(ends).items():
        next(row for row in found if row["name"] == name).update(reachable=not problem, problem=problem)
    return found


def answers(ends: Mapping[str, tuple[str, int]], patience: float = PATIENCE) -> dict[str, str]:
    """What ``reach`` says of each; who is not done in time (a name server that is silent has no limit of ours) is not waited for."""
    said: dict[str, str] = {}

    def ask(name: str) -> None:
        said[name] = reach(*ends[name])

    asking = [threading.Thread(target=ask, args=(name,), name=f"reach {name}", daemon=True) for name in ends]
    for thread in asking:
        thread.start()
    deadline = time.monotonic() + patience + GRACE
    for thread in asking:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {patience:.0f} s"
    return {name: said.get(name, late) for name in ends}


def reach(host: str, port: int) -> str:
    """Why a TCP connection to the API fails, "" when it does not."""
    try:
        with socket.create_connection((host, port), timeout=PATIENCE):
            return ""
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} s"
    except OSError as error:
        return error.strerror or str(error)

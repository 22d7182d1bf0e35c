"""Rows of ``env ls``: the known environments, and whether their APIs accept connections, checked in parallel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from rancherctl.cli.api_route import proxy_to
from rancherctl.cli.known_environments import KnownEnvironments
from rancherctl.errors import InvalidInputError, NotFoundError, RancherctlError
from rancherctl.net import split_host_port
from rancherctl.proxy.choice import Proxy
from rancherctl.proxy.connect import connect

CONNECT_SECONDS: Final = 2.0
"""Time limit of one connection."""
Endpoint = tuple[str, int, Callable[[], Proxy | None]]
"""Host and port of an API, and what chooses the proxy on the way."""
GRACE: Final = 0.2
"""Seconds added for the whole, so that each connection can report its own reason."""


def rows(known: KnownEnvironments) -> Sequence[Mapping[str, Any]]:
    """One row per known environment.

    An unreadable file is a row with its problem, one removed meanwhile is left out.
    """
    default, found, endpoints = known.default(), list[dict[str, Any]](), dict[str, Endpoint]()
    for name in known.names():
        row: dict[str, Any] = {
            "name": name,
            "chosen": name == default,
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
        host, port = split_host_port(environment.api_endpoint())
        endpoints[name] = (host, int(port or 443), partial(proxy_to, known.dirs, name, environment.server()))
        found[-1] |= {
            "kubernetes": environment.kubernetes,
            "hosts": len(environment.hosts),
            "server": environment.server(),
            "labels": dict(environment.labels),
        }
    for name, problem in connect_problems(endpoints).items():
        next(row for row in found if row["name"] == name).update(reachable=not problem, problem=problem)
    return found


def connect_problems(endpoints: Mapping[str, Endpoint], timeout: float = CONNECT_SECONDS) -> dict[str, str]:
    """``connect_problem`` of each endpoint, in parallel.

    A thread that is late is not waited for: name resolution has no time limit.
    """
    found: dict[str, str] = {}

    def check(name: str) -> None:
        found[name] = connect_problem(*endpoints[name])

    threads = [threading.Thread(target=check, args=(name,), name=f"connect {name}", daemon=True) for name in endpoints]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout + GRACE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return {name: found.get(name, f"no answer within {timeout:.0f} s") for name in endpoints}


def connect_problem(host: str, port: int, proxy: Callable[[], Proxy | None]) -> str:
    """Why a TCP connection to the API fails, "" if it succeeds."""
    try:
        with connect(host, port, proxy(), CONNECT_SECONDS):
            return ""
    except RancherctlError as error:
        return f"{error} ({error.hint})"
    except TimeoutError:
        return f"no answer within {CONNECT_SECONDS:.0f} s"
    except OSError as error:
        return error.strerror or str(error)

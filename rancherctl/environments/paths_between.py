"""Whether the hosts reach each other on the ports they will need; a refused connection counts as a way that is open."""

from __future__ import annotations

import json
from collections.abc import Container

from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.hosts.command import command
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import json_of

LIMIT = 3.0
_PROGRAM = """
import concurrent.futures, errno, json, socket, sys
limit, targets = json.load(sys.stdin)
def blocked(target):
    try:
        socket.create_connection(tuple(target), limit).close()
    except ConnectionRefusedError:
        return None
    except OSError as error:
        return target + [error.strerror or "no answer within %g s" % limit]
    return None
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    print(json.dumps([found for found in pool.map(blocked, targets) if found]))
"""


def wanted(environment: Environment, host: Host, asked: Container[str]) -> list[tuple[str, int]]:
    """(address, port) that ``host`` will connect to on the hosts called ``asked``. Pure."""
    out = []
    for other in environment.hosts:
        if other.name == host.name or other.name not in asked:
            continue
        out.append((other.address, 10250))
        if other.is_a("controlplane"):
            out.append((other.address, environment.api.port))
        if other.is_a("etcd") and (host.is_a("controlplane") or host.is_a("etcd")):
            out.append((other.address, 2379))
    return out


def problems(environment: Environment, new: Container[str], asked: Container[str], context: Context) -> list[str]:
    """One line for each way that is closed, from and to the hosts called ``new``, among those called ``asked`` (they could be reached from
    here: why the way to others is closed is told already); a host that cannot be asked is no finding here."""

    def ask(host: Host) -> list[str]:
        targets = wanted(environment, host, asked if host.name in new else new)
        if not targets:
            return []
        request = json.dumps([LIMIT, targets])
        result = context.transport(host).run(command("python3", "-I", "-c", _PROGRAM, stdin=request, root=False))
        blocked = json_of(host.name, result)
        return [
            f"{host.name}: does not reach {address} port {port}: {why} (a firewall on the way?)"
            for address, port, why in blocked
        ]

    hosts = tuple(host for host in environment.hosts if host.name in asked)
    return [line for outcome in each(hosts, ask, context.parallel).values() if outcome.ok for line in outcome.get()]

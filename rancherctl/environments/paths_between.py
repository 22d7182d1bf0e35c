"""Whether the hosts reach each other on the ports they will need; a refused connection counts as a way that is open."""

from __future__ import annotations

from collections.abc import Container

from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host
from rancherctl.hosts.remote_call import call

LIMIT = 3.0
"""Seconds for one connection."""


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
        request = {"op": "connect", "timeout": LIMIT, "targets": targets}
        blocked = call(context.transport(host), request, root=False)["blocked"]
        return [
            f"{host.name}: does not reach {address} port {port}: {why} (a firewall on the way?)"
            for address, port, why in blocked
        ]

    hosts = tuple(host for host in environment.hosts if host.name in asked)
    return [line for outcome in each(hosts, ask, context.parallel).values() if outcome.ok for line in outcome.get()]

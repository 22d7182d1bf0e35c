"""Check that hosts reach each other on the ports that they will need; a refused connection counts as reachable."""

from __future__ import annotations

from collections.abc import Container

from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.hosts.fanout import each
from rancherctl.hosts.model import Host
from rancherctl.hosts.remote_call import call

LIMIT = 3.0
"""Seconds for one connection."""


def targets_of(environment: Environment, host: Host, peers: Container[str]) -> list[tuple[str, int]]:
    """(address, port) pairs that ``host`` will connect to on the hosts named in ``peers``. Pure."""
    out = []
    for other in environment.hosts:
        if other.name == host.name or other.name not in peers:
            continue
        out.append((other.address, 10250))
        if other.is_a("controlplane"):
            out.append((other.address, environment.api.port))
        if other.is_a("etcd") and (host.is_a("controlplane") or host.is_a("etcd")):
            out.append((other.address, 2379))
    return out


def problems(
    environment: Environment,
    new: Container[str],
    answering: Container[str],
    context: Context,
    opened: Container[str] = (),
) -> list[str]:
    """One line for each blocked connection from or to the hosts named in ``new``.

    Only hosts named in ``answering`` take part: why the others are unreachable is reported elsewhere. A host on which
    the check itself fails adds no line. Connections to the addresses ``opened`` are blocked until the apply opens their
    firewalls, and are not checked.
    """

    def blocked_from(host: Host) -> list[str]:
        targets = targets_of(environment, host, answering if host.name in new else new)
        if not targets:
            return []
        request = {"op": "connect", "timeout": LIMIT, "targets": targets}
        blocked = call(context.transport(host), request, root=False)["blocked"]
        return [
            f"{host.name}: cannot reach {address} port {port}: {why} (is there a firewall?)"
            for address, port, why in blocked
            if address not in opened
        ]

    hosts = tuple(host for host in environment.hosts if host.name in answering)
    outcomes = each(hosts, blocked_from, context.parallel).values()
    return [line for outcome in outcomes if outcome.ok for line in outcome.get()]

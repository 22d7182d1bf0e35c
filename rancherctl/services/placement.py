"""Which hosts publish which Services: rendezvous hashing, one port table per host, and what hosts report. Pure.

A host that publishes a Service keeps it as long as it can carry it, so a Service moves only if it must. Among Services
that need the same port of a host, one that has it keeps it; else the oldest gets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.net import parse_ip
from rancherctl.placement.model import ObjectProblem, Placeable, Roster, RosterHost
from rancherctl.placement.place import exclusion, rank
from rancherctl.services.model import MAX_SERVICES, POD_WORDS, HostPorts, LoadBalancer, Port, port_text
from rancherctl.text import plural

NOTHING: Final = HostPorts(reported=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """One Service: its hosts sorted by name, and why each other host does not carry it.

    ``wanted`` as requested (0 = all eligible hosts), ``target``: how many hosts can carry it now.
    """

    hosts: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    wanted: int = 1
    target: int = 0
    problems: tuple[ObjectProblem, ...] = ()


def place_services(
    services: Iterable[LoadBalancer],
    roster: Roster,
    reports: Mapping[str, HostPorts],
    refused: Mapping[tuple[str, str], str] | None = None,
    held: Collection[str] = (),
) -> dict[str, Decision]:
    """Decisions by the Services' names.

    ``refused`` maps (Service, host) to a reason that the caller knows: kube-proxy there did not program it in time.
    ``held`` hosts keep what they publish although their reports say that kube-proxy fails, or nothing.
    """
    ordered = sorted(services, key=lambda s: s.age)
    table: dict[tuple[str, Port], str] = {}
    reasons = {s.name: {h.name: _exclusion(s, h, reports, refused or {}, held) for h in roster.hosts} for s in ordered}
    chosen: dict[str, list[str]] = {}
    by_address = {h.address: h.name for h in roster.hosts if h.address}
    last_choice = {h.name for h in roster.hosts if h.cordoned}
    carried: dict[str, int] = {}
    for published_only in (True, False):
        for service in ordered:
            has = {by_address[a] for a in service.published if a in by_address}
            mine = chosen.setdefault(service.name, [])
            for host in _preferred(service, roster):
                if len(mine) >= (service.options.wanted or len(roster.hosts)):
                    break
                if host in mine or reasons[service.name][host] or (published_only and host not in has - last_choice):
                    continue
                full = f"publishes {MAX_SERVICES} Services already" if carried.get(host, 0) >= MAX_SERVICES else ""
                if taken := full or _taken(service, host, table):
                    reasons[service.name][host] = taken
                    continue
                mine.append(host)
                carried[host] = carried.get(host, 0) + 1
                table.update({(host, port): service.name for port in service.ports})
    return {s.name: _decision(s, chosen[s.name], reasons[s.name]) for s in ordered}


def _preferred(service: LoadBalancer, roster: Roster) -> list[str]:
    return [h.name for h in sorted(roster.hosts, key=lambda h: rank(service.key, h))]


def _taken(service: LoadBalancer, host: str, table: Mapping[tuple[str, Port], str]) -> str:
    for port in sorted(service.ports):
        if (other := table.get((host, port))) and other != service.name:
            return f"Service {other} has {port_text(port)} there"
    return ""


def _exclusion(
    s: LoadBalancer,
    host: RosterHost,
    reports: Mapping[str, HostPorts],
    refused: Mapping[tuple[str, str], str],
    held: Collection[str],
) -> str:
    """Why ``host`` cannot carry ``s``; "" if it can."""
    if s.obstacle:
        return s.obstacle.message
    report = reports.get(host.name, NOTHING)
    # A published address stays until the host has not confirmed it for a moment (``refused``): an agent may restart.
    kept = host.address in s.published and (host.name in held or not report.reported)
    doubt = "" if kept else unable(report)
    return (
        exclusion(Placeable(s.key, s.options), host)
        or _unsuitable(s, host)
        or doubt
        or _blocked(s, host, report)
        or refused.get((s.name, host.name), "")
    )


def _unsuitable(s: LoadBalancer, host: RosterHost) -> str:
    """Why ``host`` is none of those that the Service itself allows."""
    ip = parse_ip(host.address)
    if ip is None:
        return "has no IP address to publish"
    if s.families and f"IPv{ip.version}" not in s.families:
        return f"its address is IPv{ip.version}, the Service has {' and '.join(s.families)}"
    if s.requested and host.address != s.requested:
        return f"loadBalancerIP asks for {s.requested}"
    if s.endpoints is not None and host.name not in s.endpoints:
        return "has no endpoint of it (externalTrafficPolicy Local)"
    return ""


def unable(report: HostPorts) -> str:
    """Why a host with this report takes no Service at all; "" if it can."""
    if report.proxy_error:
        return f"kube-proxy: {report.proxy_error}"
    if report.error:
        return f"its agent cannot read its ports: {report.error}"
    return "" if report.reported else "its agent has not reported its ports yet"


def _blocked(s: LoadBalancer, host: RosterHost, report: HostPorts) -> str:
    published = host.address in s.published
    for port in sorted(s.ports):
        user = report.used.get(port, "")
        # The load balancer's own sockets are among the used ports, too: the agent may not see whose they are.
        if port[0] == "tcp" and port[1] in report.load_balancer and not user.startswith(POD_WORDS):
            # A published Service takes the port from the load balancer; the Ingress moves.
            if not published:
                return f"Ingresses are served on {port_text(port)}"
        elif user:
            return f"{port_text(port)} is used by {user}"
    return ""


def _decision(s: LoadBalancer, hosts: list[str], reasons: Mapping[str, str]) -> Decision:
    why = {host: reason for host, reason in reasons.items() if reason and host not in hosts}
    wanted = s.options.wanted
    eligible = len(reasons) - len(why)
    problems: list[ObjectProblem] = [*([s.obstacle] if s.obstacle else ()), *s.problems]
    if not hosts and not s.obstacle:
        total = plural(len(reasons), "host")
        problems.insert(0, ObjectProblem("NoHosts", f"no eligible host among {total}: {_counted(why)}"))
    elif wanted > len(hosts) and not s.obstacle:
        counts = f"{plural(wanted, 'address', 'addresses')} requested, {plural(len(hosts), 'eligible host')}"
        others = f"the others: {_counted(why)}" if why else "all hosts have it"
        problems.append(ObjectProblem("TooFewHosts", f"{counts}; {others}", serious=False))
    return Decision(tuple(sorted(hosts)), why, wanted, min(wanted or eligible, eligible), tuple(problems))


def _counted(why: Mapping[str, str]) -> str:
    counts: dict[str, int] = {}
    for reason in why.values():
        counts[reason] = counts.get(reason, 0) + 1
    return ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items())) or "the roster is empty"

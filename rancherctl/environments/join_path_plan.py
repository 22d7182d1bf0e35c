"""The check of pod paths before a join: its places and addresses, its probes, and what their outcome means. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import Any, Final

from rancherctl.environments.model import Environment
from rancherctl.hosts import firewall
from rancherctl.hosts.facts import HostFacts
from rancherctl.pod_paths.choice import asked_now
from rancherctl.text import and_more

PORT: Final = 4240
POOL_PREFIX: Final = 24


@dataclass(frozen=True, slots=True)
class Site:
    """A host's place in the check: its device and subnet, and the pod address that it has meanwhile."""

    host: str
    address: str
    device: str
    subnet: IPv4Network
    own: str


@dataclass(frozen=True, slots=True)
class Pool:
    """Pod addresses that the check uses; the gateway is each host's end of its pair of devices."""

    network: IPv4Network
    gateway: str


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe of a host: what it is to reach, whose host that is ("" = its own), and whether it did."""

    what: str
    other: str
    target: str
    reached: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Noted:
    """Packets with addresses of the pool at a host's device: (source, destination)."""

    sent: frozenset[tuple[str, str]] = frozenset()
    seen: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Blocked:
    """A blocked path: ``cause`` is ``firewall`` of ``host``, or ``network`` between ``host`` and another one."""

    host: str
    cause: str
    what: str


def pool(environment: Environment, facts: Mapping[str, HostFacts]) -> Pool | None:
    """The last /24 of the pod range to which no host has a route; None if there is none.

    The controller manager gives out ranges from the first one on.
    """
    pods = IPv4Network(environment.network.pod_cidr)
    if pods.prefixlen > POOL_PREFIX:
        return None
    used = [
        network
        for fact in facts.values()
        for route in fact.routes or ()
        if route.destination != "default" and ":" not in route.destination
        and (network := IPv4Network(str(ip_network(route.destination, strict=False)))).prefixlen > pods.prefixlen
    ]  # fmt: skip
    last = int(pods.broadcast_address) - 255
    for index in range(16):
        start = last - 256 * index
        if start < int(pods.network_address):
            break
        found = IPv4Network((start, POOL_PREFIX))
        if not any(found.overlaps(network) for network in used):
            return Pool(found, str(found.network_address + 1))
    return None


def sites(
    environment: Environment, new: Collection[str], facts: Mapping[str, HostFacts], pool: Pool
) -> tuple[Site, ...]:
    """Where the check runs: new hosts, and the members that share a subnet with one."""
    found = []
    for index, host in enumerate(environment.hosts[:250]):
        fact = facts.get(host.name)
        address = next((a for a in (fact.addresses if fact else None) or () if a.address == host.address), None)
        if address is not None and host.address:
            subnet = IPv4Network((int(IPv4Network(host.address).network_address), 32)).supernet(
                new_prefix=address.prefix
            )
            found.append(Site(host.name, host.address, address.interface, subnet, str(pool.network[2 + index])))
    near = {site.subnet for site in found if site.host in new}
    return tuple(site for site in found if site.host in new or site.subnet in near)


def peers_of(site: Site, others: Iterable[Site]) -> tuple[Site, ...]:
    """The sites that one asks: those of its subnet, all or a sample."""
    known = {other.host: other for other in others if other.subnet == site.subnet}
    return tuple(known[name] for name in asked_now(site.host, known))


def config(
    environment: Environment, site: Site, every: Iterable[Site], pool: Pool, new: Collection[str]
) -> dict[str, Any]:
    """The request to the program on a host."""
    host = environment.host(site.host)
    joins = site.host in new
    routes = [[other.own, other.address] for other in every if other.subnet == site.subnet and other.host != site.host]
    return {
        "node": site.host,
        "own": site.own,
        "gateway": pool.gateway,
        "pool": str(pool.network),
        "device": site.device,
        "mtu": 1500,
        "peers": routes,
        "dns": environment.dns_addresses()[1] if joins else "",
        "api": [site.address, environment.api.port] if joins and host and host.is_a("controlplane") else None,
    }


def probes(
    environment: Environment, site: Site, every: Iterable[Site], new: Collection[str]
) -> list[tuple[Probed, dict[str, Any]]]:
    """The probes of one site, and what each one tells if it fails.

    The DNS servers of members are the concern of their agents.
    """
    dns = environment.dns_addresses()[1]
    out = list[tuple[Probed, dict[str, Any]]]()
    if site.host in new:
        name = f"kubernetes.default.svc.{environment.dns.domain}."
        out.append((Probed("to DNS", "", dns, False), {"kind": "dns", "address": dns, "port": 53, "name": name}))
    listed = tuple(every)
    routed = environment.network.mode == "routed"  # an overlay hides addresses of pods from the network
    control_plane = {host.name for host in environment.with_role("controlplane")}
    for other in listed:
        # Between subnets an overlay carries what pods send: the network sees no addresses of pods there.
        if other.host in control_plane and (other.host == site.host or (routed and other.subnet == site.subnet)):
            probe = {"kind": "tcp", "address": other.address, "port": environment.api.port}
            out.append((Probed("to the API", other.host, other.address, False), probe))
    if routed:
        for other in peers_of(site, listed):
            probe = {"kind": "pod", "address": other.own, "port": PORT, "name": other.host}
            out.append((Probed(f"to pods of {other.host}", other.host, other.own, False), probe))
    return out


def reached(probed: Probed, outcome: str, new: Collection[str]) -> bool:
    """Whether a probe got an answer.

    A refused connection to the API of a member is one: the path is open, and the API does not run now.
    """
    return outcome == "ok" or (outcome == "refused" and probed.what == "to the API" and probed.other not in new)


def judge(every: Iterable[Site], found: Mapping[str, Iterable[Probed]], noted: Mapping[str, Noted]) -> list[Blocked]:
    """The blocked paths with their cause, from what the devices of both hosts noted."""
    own = {site.host: site.own for site in every}
    causes = (
        _cause(host, each_probe, own, noted)
        for host, probed in found.items()
        for each_probe in probed
        if not each_probe.reached
    )
    return list(dict.fromkeys(cause for cause in causes if cause is not None))


def _cause(host: str, probed: Probed, own: Mapping[str, str], noted: Mapping[str, Noted]) -> Blocked | None:
    """None if one of the two hosts did not tell what it noted."""
    other = probed.other
    if other in ("", host):
        return Blocked(host, "firewall", probed.what)
    if other not in noted or host not in noted:
        return None
    there, back = (own[host], probed.target), (probed.target, own[host])
    incoming = Blocked(other, "firewall", f"from pods of {host}")
    between, outgoing = Blocked(host, "network", probed.what), Blocked(host, "firewall", probed.what)
    if there not in noted[host].sent:
        return outgoing
    if there not in noted[other].seen:
        return between
    if back not in noted[other].sent:
        return incoming
    return between if back not in noted[host].seen else outgoing


def lines(blocked: Iterable[Blocked], remedies: Mapping[str, str]) -> list[str]:
    """``host: problem (remedy)`` for people; ``remedies`` open the firewall of a host."""
    by: dict[tuple[str, str], list[str]] = {}
    for each_path in blocked:
        what = by.setdefault((each_path.cause, each_path.host), [])
        if each_path.what not in what:
            what.append(each_path.what)
    out = []
    for (cause, host), what in sorted(by.items()):
        if cause == "firewall":
            remedy = remedies.get(host, "let packets from and to addresses of spec.network.podCIDR pass")
            out.append(f"{host}: its firewall drops packets of pods: {and_more(what)} ({remedy})")
        else:
            why = "the network between the hosts drops packets with pod addresses"
            out.append(f"{host}: {why}: {and_more(what)} (set spec.network.mode: vxlan)")
    return out


def opened(environment: Environment, facts: Mapping[str, HostFacts]) -> frozenset[str]:
    """Hosts whose firewall this apply opens for pods (spec.network.openFirewall)."""
    return frozenset(opening(environment, facts)) if environment.network.open_firewall else frozenset()


def opening(environment: Environment, facts: Mapping[str, HostFacts]) -> dict[str, str]:
    """How to open each host's firewall for hosts and pods, as commands for a shell there."""
    addresses = [host.address for host in environment.hosts]
    out = {}
    for name, fact in facts.items():
        if fact.firewall is not None:
            commands = firewall.open_commands(fact.firewall, addresses, environment.network.pod_cidr)
            if commands:
                out[name] = f"--open-firewall opens it, or as root there: {'; '.join(firewall.shown(commands))}"
    return out

"""The nft table ``rancherctl_lb`` of one host, as text: 1:1 NAT, and Services whose address is leaving. Pure.

kube-proxy matches the published address. Behind 1:1 NAT, packets arrive with the internal one instead: it is rewritten
before connection tracking, and back on the way out. And kube-proxy serves an address only while a status has it: what a
host goes on to serve after that has rules here, which come after kube-proxy's and see only what it leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, collapse_addresses
from typing import Final

from rancherctl.kube.objects import EndpointSlice, Service
from rancherctl.net import parse_network
from rancherctl.services.model import Port

TABLE: Final = "rancherctl_lb"
_AFFINITY: Final = "jhash ip saddr mod {} seed 0x1"
_RANDOM: Final = "numgen random mod {}"


@dataclass(frozen=True, slots=True)
class Nat:
    """``public`` is on no interface; its packets arrive at ``internal`` of ``device``."""

    public: str
    internal: str
    device: str
    ports: frozenset[Port]


@dataclass(frozen=True, slots=True)
class Forward:
    """New connections to one port of ``address`` go to ``endpoints`` ("10.42.0.5:80"), as kube-proxy would send them.

    ``sources`` are networks of clients (empty = all). ``keep_client``: endpoints see the client's address.
    """

    address: str
    port: Port
    endpoints: tuple[str, ...]
    sources: tuple[str, ...] = ()
    affinity: bool = False
    keep_client: bool = False


def forwards(service: Service, slices: Iterable[EndpointSlice], addresses: Collection[str], node: str) -> list[Forward]:
    """Rules for one Service at these addresses of the host ``node``; ports without endpoints have none."""
    parts = [part for part in slices if part.address_type == "IPv4"]
    networks = (parse_network(text.strip()) for text in service.source_ranges)
    ranges = collapse_addresses(n for n in networks if isinstance(n, IPv4Network))
    sources = tuple(map(str, ranges))
    if service.source_ranges and not sources:
        return []
    out = []
    for port in service.ports:
        endpoints = _endpoints(parts, port.name, port.protocol, node if service.local else "")
        for address in sorted(addresses) if endpoints else ():
            key = (port.protocol.lower(), port.port)
            out.append(Forward(address, key, endpoints, sources, bool(service.affinity), service.local))
    return out


def _endpoints(slices: Sequence[EndpointSlice], name: str, protocol: str, node: str) -> tuple[str, ...]:
    """Ready endpoints; if there are none, those that still serve while they terminate. ``node``: only those there."""
    ready: set[str] = set()
    terminating: set[str] = set()
    for part in slices:
        numbers = [p.port for p in part.ports if p.name == name and p.protocol == protocol and p.port]
        for endpoint in part.endpoints if numbers else ():
            if node and endpoint.node != node:
                continue
            found = {f"{address}:{number}" for address in endpoint.addresses[:1] for number in numbers}
            if endpoint.ready:
                ready |= found
            elif endpoint.serving and endpoint.terminating:
                terminating |= found
    return tuple(sorted(ready or terminating))


def text(nat: Nat | None, wanted: Iterable[Forward]) -> str:
    """The table for nft; "" if nothing needs one. Equal input gives equal text."""
    rules = sorted(wanted, key=lambda f: (f.address, f.port))
    lines = [*(_nat(nat) if nat and nat.ports else ()), *(_forwarding(rules) if rules else ())]
    return "".join(f"{line}\n" for line in (f"table inet {TABLE} {{", *lines, "}")) if lines else ""


def _nat(nat: Nat) -> list[str]:
    ports = ", ".join(f"{protocol} . {number}" for protocol, number in sorted(nat.ports))
    incoming = f'iifname "{nat.device}" ip daddr {nat.internal}'
    outgoing = f'oifname "{nat.device}" ip saddr {nat.public}'
    # A pod of this host that uses the public address gets its answers from it, too: only what leaves is rewritten.
    return [
        "\tset rewritten {",
        "\t\ttype inet_proto . inet_service",
        f"\t\telements = {{ {ports} }}",
        "\t}",
        "\tchain rewrite_in {",
        "\t\ttype filter hook prerouting priority -300; policy accept;",
        f"\t\t{incoming} meta l4proto . th dport @rewritten ip daddr set {nat.public}",
        "\t}",
        "\tchain rewrite_out {",
        "\t\ttype filter hook postrouting priority 300; policy accept;",
        f"\t\t{outgoing} meta l4proto . th sport @rewritten ip saddr set {nat.internal}",
        "\t}",
    ]


def _forwarding(rules: Sequence[Forward]) -> list[str]:
    names: dict[tuple[str, str], str] = {}
    for rule in rules:
        for endpoint in rule.endpoints:
            names.setdefault((rule.port[0], endpoint), f"to_{len(names) + 1}")
    lines = []
    for (protocol, endpoint), name in names.items():
        lines += [f"\tchain {name} {{", f"\t\tmeta l4proto {protocol} dnat ip to {endpoint}", "\t}"]
    return [
        *lines,
        *("\tchain draining {", *(_dispatch(rule, names) for rule in rules), "\t}"),
        *_hook("draining_in", "nat hook prerouting priority -99", ["jump draining"]),
        *_hook("draining_out", "nat hook output priority -99", ["jump draining"]),
        *_hook("draining_back", "nat hook postrouting priority 99", [_back(r) for r in rules if not r.keep_client]),
    ]


def _hook(name: str, where: str, rules: Sequence[str]) -> list[str]:
    head = (f"\tchain {name} {{", f"\t\ttype {where}; policy accept;")
    return [*head, *(f"\t\t{rule}" for rule in rules), "\t}"] if rules else []


def _dispatch(rule: Forward, names: Mapping[tuple[str, str], str]) -> str:
    protocol, number = rule.port
    sources = f" ip saddr {{ {', '.join(rule.sources)} }}" if rule.sources else ""
    turn = (_AFFINITY if rule.affinity else _RANDOM).format(len(rule.endpoints))
    chains = ", ".join(f"{n} : goto {names[protocol, endpoint]}" for n, endpoint in enumerate(rule.endpoints))
    return f"\t\tip daddr {rule.address} {protocol} dport {number}{sources} {turn} vmap {{ {chains} }}"


def _back(rule: Forward) -> str:
    protocol, number = rule.port
    return (
        f"ct status dnat ct original ip daddr {rule.address} meta l4proto {protocol}"
        f" ct original proto-dst {number} masquerade"
    )

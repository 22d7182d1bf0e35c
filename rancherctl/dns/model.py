"""Record sets, zones and the settings of one host's server, as frozen values. Pure: no I/O, no clock."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

TTL = 5
"""Seconds, positive and negative answers alike: a client that cached an answer is wrong for at most this long."""
MARKER = "_rancherctl"
"""First label of the TXT record that says which state a zone holds; never part of a plan."""
HASH_BITS = 128
_MARKER_TEXT = re.compile(r'"hash=([0-9a-f]{32})" "version=([^"]*)"')


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of one name and type.

    ``name`` is absolute, lower-case, with the last dot. ``rdatas`` are presentation texts, sorted, without duplicates and never empty.
    """

    name: str
    type: str
    rdatas: tuple[str, ...]
    ttl: int = TTL

    @property
    def key(self) -> str:
        """``name TYPE``: what plans and tables are sorted by."""
        return f"{self.name} {self.type}"

    def lines(self) -> list[str]:
        """One zone-file line for each record."""
        return [f"{self.name} {self.ttl} IN {self.type} {rdata}" for rdata in self.rdatas]


@dataclass(frozen=True, slots=True)
class Marker:
    """What a zone says about its own content: hash of all record sets, and the API's resource versions that it was made from."""

    hash: str
    version: str = ""

    def text(self) -> str:
        """The TXT record's data."""
        return f'"hash={self.hash}" "version={self.version}"'

    @classmethod
    def of(cls, text: str) -> Marker | None:
        """The reverse of ``text``; None for what is no marker."""
        found = _MARKER_TEXT.fullmatch(text)
        return cls(found[1], found[2]) if found else None

    def newer(self, than: Marker) -> bool:
        """Whether it was made from a later state of the API; False when the two cannot be compared."""
        pairs = list(zip(self.version.split("/"), than.version.split("/"), strict=False))
        if self.version.count("/") != than.version.count("/") or not all(
            part.isdecimal() for pair in pairs for part in pair
        ):
            return False
        return all(int(one) >= int(other) for one, other in pairs) and any(
            int(one) > int(other) for one, other in pairs
        )


class AgentSettings(Protocol):
    """The part of an agent's configuration that concerns DNS."""

    @property
    def node(self) -> str: ...
    @property
    def dns_domain(self) -> str: ...
    @property
    def dns_addresses(self) -> tuple[str, ...]: ...
    @property
    def dns_upstreams(self) -> tuple[str, ...]: ...
    @property
    def pod_cidr(self) -> str: ...
    @property
    def service_cidr(self) -> str: ...


@dataclass(frozen=True, slots=True)
class DnsHostConfig:
    """One host's server: what it answers for, where it listens, whom it serves and forwards to.

    ``upstreams`` () means the host's own resolvers. ``stub_domains`` maps a domain to the servers that know it. Paths and ports have
    other values in tests only. ``control_port`` and ``stats_port`` are bound on 127.0.0.1 alone.
    """

    node: str
    domain: str = "cluster.local"
    addresses: tuple[str, ...] = ("169.254.20.10", "10.43.0.10")
    pod_cidrs: tuple[str, ...] = ("10.42.0.0/16",)
    service_cidrs: tuple[str, ...] = ("10.43.0.0/16",)
    upstreams: tuple[str, ...] = ()
    stub_domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pod_names: bool = True
    port: int = 53
    control_port: int = 10530
    stats_port: int = 10531
    etc: str = "/etc/rancherctl/dns"
    data: str = "/var/lib/rancherctl/dns"

    @classmethod
    def of(cls, agent: AgentSettings) -> DnsHostConfig:
        """From what a host's agent is told; several CIDRs are written with commas."""
        return cls(
            node=agent.node,
            domain=agent.dns_domain.strip(".").lower(),
            addresses=tuple(agent.dns_addresses),
            pod_cidrs=_cidrs(agent.pod_cidr),
            service_cidrs=_cidrs(agent.service_cidr),
            upstreams=tuple(agent.dns_upstreams),
        )

    @property
    def key_file(self) -> str:
        """The TSIG key, made on the host."""
        return f"{self.etc}/tsig.key"

    @property
    def forwarders_file(self) -> str:
        """The list of upstreams that answer now; written by the unit's preparation and by the agent."""
        return f"{self.data}/forwarders.conf"


def _cidrs(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def fingerprint(record_set: RecordSet) -> int:
    """A number for one record set; the sum over a zone (``zone_hash``) does not depend on order, so it can be kept up to date by difference."""
    text = f"{record_set.name} {record_set.type} {record_set.ttl} {' '.join(record_set.rdatas)}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=HASH_BITS // 8).digest())


def zone_hash(total: int) -> str:
    """The hexadecimal text of a sum of fingerprints."""
    return f"{total % (1 << HASH_BITS):032x}"

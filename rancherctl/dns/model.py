"""Record sets, zones and the settings of one host's server, as frozen values. Pure: no I/O, no clock."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rancherctl.contract import DATA, ETC, LINK_LOCAL_DNS

TTL = 5
"""Seconds, for positive and negative answers: the longest time for which a cached answer can be wrong."""
MAX_NEGATIVE_TTL = 30
"""Seconds for which "does not exist" from an upstream is cached, unless the environment file says otherwise."""
HASH_BITS = 128
_MARKER_TEXT = re.compile(r'"hash=([0-9a-f]{32})" "version=([^"]*)"')


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of one name and type.

    ``name`` is absolute, in lower case, with the final dot. ``rdatas`` are presentation texts: sorted, unique, never
    empty.
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
    """Description of a zone's content: the hash of all record sets, and the resource versions it was made from."""

    hash: str
    version: str = ""

    def text(self) -> str:
        """The TXT record's data."""
        return f'"hash={self.hash}" "version={self.version}"'

    @classmethod
    def of(cls, text: str) -> Marker | None:
        """Parse ``text``; None if it is not a marker."""
        found = _MARKER_TEXT.fullmatch(text)
        return cls(found[1], found[2]) if found else None

    def newer(self, than: Marker) -> bool:
        """Whether it was made from a later state of the API than ``than``; False if the two cannot be compared."""
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
    def dns_stub_domains(self) -> tuple[tuple[str, tuple[str, ...]], ...]: ...
    @property
    def dns_max_negative_ttl(self) -> int: ...
    @property
    def pod_cidr(self) -> str: ...
    @property
    def service_cidr(self) -> str: ...


@dataclass(frozen=True, slots=True)
class DnsHostConfig:
    """Settings of one host's server: domain, addresses, clients, upstreams.

    ``upstreams`` () means the host's own resolvers. ``stub_domains`` maps a domain to its servers. Both list servers as
    ``IP[:PORT]``. ``max_negative_ttl``: seconds for which "does not exist" from an upstream is cached. Only tests use
    other paths and ports. ``control_port`` and ``stats_port`` are bound to 127.0.0.1 only.
    """

    node: str
    domain: str = "cluster.local"
    addresses: tuple[str, ...] = (LINK_LOCAL_DNS, "10.43.0.10")
    pod_cidrs: tuple[str, ...] = ("10.42.0.0/16",)
    service_cidrs: tuple[str, ...] = ("10.43.0.0/16",)
    upstreams: tuple[str, ...] = ()
    stub_domains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    max_negative_ttl: int = MAX_NEGATIVE_TTL
    pod_names: bool = True
    port: int = 53
    control_port: int = 10530
    stats_port: int = 10531
    etc: str = f"{ETC}/dns"
    data: str = f"{DATA}/dns"

    @classmethod
    def of(cls, agent: AgentSettings) -> DnsHostConfig:
        """Take the settings from the agent's configuration; CIDRs are separated by commas."""
        return cls(
            node=agent.node,
            domain=agent.dns_domain.strip(".").lower(),
            addresses=tuple(agent.dns_addresses),
            pod_cidrs=_cidrs(agent.pod_cidr),
            service_cidrs=_cidrs(agent.service_cidr),
            upstreams=tuple(agent.dns_upstreams),
            stub_domains=dict(agent.dns_stub_domains),
            max_negative_ttl=agent.dns_max_negative_ttl,
        )

    @property
    def key_file(self) -> str:
        """Path of the TSIG key, which is created on the host."""
        return f"{self.etc}/tsig.key"

    @property
    def forwarders_file(self) -> str:
        """Path of the list of upstreams that answer now; written by prepare.sh and the agent."""
        return f"{self.data}/forwarders.conf"

    @property
    def stubs_file(self) -> str:
        """Path of the stub domains with the server that is asked now; written by prepare.sh and the agent."""
        return f"{self.data}/stubs.conf"


def _cidrs(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def fingerprint(record_set: RecordSet) -> int:
    """The hash of one record set as a number.

    The sum over a zone (``zone_hash``) does not depend on the order, so a change updates it by difference.
    """
    text = f"{record_set.name} {record_set.type} {record_set.ttl} {' '.join(record_set.rdatas)}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=HASH_BITS // 8).digest())


def zone_hash(total: int) -> str:
    """The hexadecimal text of a sum of fingerprints."""
    return f"{total % (1 << HASH_BITS):032x}"

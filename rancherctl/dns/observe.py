"""Reading the server on this host: is a zone loaded, what does its marker say, what does it contain."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rancherctl.dns import names
from rancherctl.dns.client import Channel, DnsProtocolError
from rancherctl.dns.model import MARKER, Marker, RecordSet

if TYPE_CHECKING:
    import dns.message

_MARKER = re.compile(r'^"hash=([0-9a-f]{32})" "version=([^"]*)"$')


@dataclass(frozen=True, slots=True)
class Reading:
    """``loaded``: the server answers for the zone with authority. ``marker`` None: the zone's content is not known to be whole."""

    zone: str
    loaded: bool
    marker: Marker | None = None
    why: str = ""


def read_marker(channel: Channel, zone: str) -> Reading:
    """The state of a zone by one query."""
    import dns.rcode

    answer = channel.exchange(_question(f"{MARKER}.{zone}", "TXT"))
    rcode = answer.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not _authoritative(answer):
        return Reading(zone, loaded=False, why=f"answers {dns.rcode.to_text(rcode)}")
    for rrset in answer.answer:
        for rdata in rrset:
            if found := _MARKER.match(rdata.to_text()):
                return Reading(zone, loaded=True, marker=Marker(found[1], found[2]))
    return Reading(zone, loaded=True, why="no marker")


def read_serial(channel: Channel, zone: str) -> int:
    """The zone's serial number; 0 when the server does not say."""
    for rrset in channel.exchange(_question(zone, "SOA")).answer:
        for rdata in rrset:
            return int(getattr(rdata, "serial", 0))
    return 0


def _question(name: str, kind: str) -> dns.message.Message:
    import dns.flags
    import dns.message

    return dns.message.make_query(name, kind, flags=0)


def _authoritative(answer: dns.message.Message) -> bool:
    import dns.flags

    return bool(answer.flags & dns.flags.AA)


def transfer(channel: Channel, zone: str, *, timeout: float = 30.0) -> dict[str, RecordSet]:
    """All record sets of a zone (AXFR with the key), keyed like a plan, without SOA, NS and the marker; addresses in normal form."""
    import dns.exception
    import dns.message
    import dns.rcode
    import dns.rdatatype

    query = dns.message.make_query(zone, "AXFR", flags=0)
    query.use_tsig(channel.key)
    channel.send(query.to_wire())
    deadline = time.monotonic() + timeout
    found: dict[tuple[str, str], tuple[int, list[str]]] = {}
    ends, context = 0, None
    while ends < 2:
        wire = channel.receive(max(0.01, deadline - time.monotonic()))
        # BIND signs every message of a transfer, so none needs to be taken on trust.
        try:
            message = dns.message.from_wire(wire, keyring=query.keyring, request_mac=query.mac, xfr=True, tsig_ctx=context, multi=True)
        except dns.exception.DNSException as error:
            channel.close()
            raise DnsProtocolError(f"zone {zone} cannot be read", why=str(error) or type(error).__name__) from error
        context = message.tsig_ctx
        if message.rcode() != dns.rcode.NOERROR or not message.answer:
            channel.close()
            raise DnsProtocolError(f"zone {zone} cannot be read", why=f"the server answers {dns.rcode.to_text(message.rcode())}")
        for rrset in message.answer:
            kind = dns.rdatatype.to_text(rrset.rdtype)
            if kind == "SOA":
                ends += 1
                continue
            _ttl, rdatas = found.setdefault((rrset.name.to_text().lower(), kind), (rrset.ttl, []))
            rdatas.extend(rdata.to_text() for rdata in rrset)
    skip = {(zone, "NS"), (f"{MARKER}.{zone}", "TXT")}
    sets = (RecordSet(n, k, tuple(sorted({_normal(k, r) for r in rdatas})), ttl) for (n, k), (ttl, rdatas) in found.items() if (n, k) not in skip)
    return {s.key: s for s in sets}


def _normal(kind: str, rdata: str) -> str:
    return names.address(rdata)[0] if kind in {"A", "AAAA"} else rdata

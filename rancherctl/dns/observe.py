"""Read the server on this host: whether a zone is loaded, its marker, its content."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rancherctl.dns import names
from rancherctl.dns.client import Channel, DnsProtocolError
from rancherctl.dns.model import Marker, RecordSet, fingerprint, zone_hash

if TYPE_CHECKING:
    import dns.message


@dataclass(frozen=True, slots=True)
class Reading:
    """State of a zone. ``loaded``: the server is authoritative for it. Without ``marker`` it may be incomplete."""

    zone: str
    loaded: bool
    marker: Marker | None = None
    why: str = ""


def read_marker(channel: Channel, zone: str) -> Reading:
    """Read the state of a zone with one query."""
    import dns.rcode

    answer = channel.exchange(_question(names.marker_name(zone), "TXT"))
    rcode = answer.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) or not _authoritative(answer):
        return Reading(zone, loaded=False, why=f"answers {dns.rcode.to_text(rcode)}")
    marker = _marker(rdata.to_text() for rrset in answer.answer for rdata in rrset)
    return Reading(zone, loaded=True, marker=marker, why="" if marker else "no marker")


def read_serial(channel: Channel, zone: str) -> int:
    """The zone's serial number; 0 if the answer has none."""
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


@dataclass(frozen=True, slots=True)
class Content:
    """All record sets of a zone except SOA and NS, addresses in normal form, and the marker among them."""

    sets: dict[str, RecordSet]
    marker: Marker | None


def transfer(channel: Channel, zone: str, *, timeout: float = 60.0) -> Content:
    """Read a whole zone with a signed AXFR: one consistent version; the keys are those of a plan."""
    sets: dict[str, RecordSet] = {}
    marker, place = None, names.marker_name(zone)
    for one in _record_sets(channel, zone, timeout):
        if one.name == place:
            marker = _marker(one.rdatas)
        else:
            sets[one.key] = one
    return Content(sets, marker)


def whole(channel: Channel, zone: str, *, timeout: float = 60.0) -> bool:
    """Whether a zone's content matches its marker; reads everything and stores nothing."""
    total, marker, place = 0, None, names.marker_name(zone)
    for one in _record_sets(channel, zone, timeout):
        if one.name == place:
            marker = _marker(one.rdatas)
        else:
            total += fingerprint(one)
    return marker is not None and marker.hash == zone_hash(total)


def _marker(rdatas: Iterable[str]) -> Marker | None:
    return next(filter(None, map(Marker.of, rdatas)), None)


def _record_sets(channel: Channel, zone: str, timeout: float) -> Iterator[RecordSet]:
    """Yield each record set once: a message may end in the middle of a set, which the server sends in one piece."""
    place, rdatas, last_ttl = ("", ""), set[str](), 0
    for name, kind, ttl, part in _parts(channel, zone, timeout):
        if (name, kind) != place and rdatas:
            yield RecordSet(*place, tuple(sorted(rdatas)), last_ttl)
            rdatas = set()
        place, last_ttl = (name, kind), ttl
        rdatas |= part
    if rdatas:
        yield RecordSet(*place, tuple(sorted(rdatas)), last_ttl)


def _parts(channel: Channel, zone: str, timeout: float) -> Iterator[tuple[str, str, int, set[str]]]:
    import dns.exception
    import dns.message
    import dns.rcode
    import dns.rdatatype

    query = dns.message.make_query(zone, "AXFR", flags=0)
    query.use_tsig(channel.key)
    channel.send(query.to_wire())
    deadline = time.monotonic() + timeout
    ends, context = 0, None
    while ends < 2:
        wire = channel.receive(max(0.01, deadline - time.monotonic()))
        # BIND signs every message of a transfer, so each one can be verified.
        try:
            message = dns.message.from_wire(
                wire, keyring=query.keyring, request_mac=query.mac, xfr=True, tsig_ctx=context, multi=True
            )
        except dns.exception.DNSException as error:
            channel.close()
            raise DnsProtocolError(f"cannot read zone {zone}", why=str(error) or type(error).__name__) from error
        context = message.tsig_ctx
        if message.rcode() != dns.rcode.NOERROR or not message.answer:
            channel.close()
            raise DnsProtocolError(
                f"cannot read zone {zone}", why=f"the server answers {dns.rcode.to_text(message.rcode())}"
            )
        for rrset in message.answer:
            kind, name = dns.rdatatype.to_text(rrset.rdtype), rrset.name.to_text().lower()
            if kind == "SOA":
                ends += 1
            # Skip names outside the zone from a damaged journal: they are not served, and no update may mention them.
            elif (kind != "NS" or name != zone) and f".{name}".endswith(f".{zone}"):
                yield name, kind, rrset.ttl, {_normal(kind, rdata.to_text()) for rdata in rrset}


def _normal(kind: str, rdata: str) -> str:
    return names.address(rdata)[0] if kind in {"A", "AAAA"} else rdata

"""Read a zone from a DNS server: a whole transfer, or names one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from rancherctl.dns import names as dns_names
from rancherctl.dns.model import RecordSet
from rancherctl.federation.names import marker_name
from rancherctl.federation.ownership import OUR_TYPES
from rancherctl.federation.providers.base import ZoneInfo
from rancherctl.federation.providers.exchange import Exchange
from rancherctl.federation.providers.faults import TRANSFER, ServerError, refusal
from rancherctl.federation.providers.tsig import TsigKey

if TYPE_CHECKING:
    import dns.message
    import dns.rrset

RecordSets = list[RecordSet]
Transferred = tuple[RecordSets, int]
"""Record sets and serial number."""


def zone_info(exchange: Exchange, zone: str, key: TsigKey | None) -> ZoneInfo:
    """The SOA and NS records of a zone; ZoneMissingError if the server is not authoritative for it."""
    import dns.flags

    soa, ns = exchange.ask_all([_query(zone, "SOA"), _query(zone, "NS")])
    check(soa, exchange, zone, "queries", key, allowed=("NOERROR", "NXDOMAIN", "REFUSED"))
    serials = [rdata.serial for rrset in soa.answer if _is(rrset, zone, "SOA") for rdata in rrset]
    if not serials or not soa.flags & dns.flags.AA:
        raise refusal(exchange.server, zone, "NOTAUTH", "queries", key)
    servers = sorted(rdata.target.to_text() for rrset in ns.answer if _is(rrset, zone, "NS") for rdata in rrset)
    return ZoneInfo(serials[0], tuple(servers))


def transfer(exchange: Exchange, zone: str, key: TsigKey | None) -> Transferred:
    """All record sets of a zone (SOA and the zone's own NS left out) and its serial number.

    A transfer is complete when its SOA comes a second time; one that ends before is an error.
    """
    query = _query(zone, "AXFR")
    exchange.sign(query)
    exchange.send(query.to_wire())
    sets: dict[tuple[str, str], RecordSet] = {}
    serials: list[int] = []
    context = None
    while len(serials) < 2:
        message = exchange.parse(exchange.receive(), query, transfer=True, context=context)
        context = message.tsig_ctx
        if key is not None and not serials and not message.had_tsig:
            raise ServerError(f"DNS server {exchange.server}: the transfer is not signed")
        check(message, exchange, zone, TRANSFER, key)
        if not message.answer or (not serials and not _is(message.answer[0], zone, "SOA")):
            raise ServerError(f"DNS server {exchange.server}: a transfer of zone {zone.removesuffix('.')} without SOA")
        for rrset in message.answer:
            if _is(rrset, zone, "SOA"):
                serials += [rdata.serial for rdata in rrset]
            elif len(serials) == 1 and not _is(rrset, zone, "NS"):
                _collect(sets, rrset)
    if key is not None and not message.had_tsig:
        raise ServerError(f"DNS server {exchange.server}: the end of the transfer is not signed")
    if serials[0] != serials[1]:
        raise ServerError(f"DNS server {exchange.server}: the zone changed during the transfer")
    return [s for s in sets.values() if f".{s.name}".endswith(f".{zone}")], serials[0]


def ask(exchange: Exchange, zone: str, key: TsigKey | None, names: Collection[str], fence: str = "") -> RecordSets:
    """The record sets of OUR_TYPES and TXT at ``names``, those of TXT and CNAME at the names of their markers and at
    ``fence``."""
    import dns.flags

    wanted = sorted(set(names) - {fence})
    questions = [(name, kind) for name in wanted for kind in (*OUR_TYPES, "TXT")]
    questions += [(marker_name(name), "TXT") for name in wanted]
    questions += [(fence, "TXT")] if fence else []
    found: dict[tuple[str, str], RecordSet] = {}
    for (name, kind), answer in zip(questions, exchange.ask_all([_query(*q) for q in questions]), strict=True):
        check(answer, exchange, zone, "queries", key, allowed=("NOERROR", "NXDOMAIN"))
        if not answer.flags & dns.flags.AA:
            raise refusal(exchange.server, zone, "NOTAUTH", "queries", key)
        for rrset in answer.answer:
            if _is(rrset, name, kind) or _is(rrset, name, "CNAME"):  # an alias answers every question
                _collect(found, rrset)
    return list(found.values())


def check(
    answer: dns.message.Message,
    exchange: Exchange,
    zone: str,
    what: str,
    key: TsigKey | None,
    *,
    allowed: Iterable[str] = ("NOERROR",),
) -> None:
    """Raise the error of a response code that is not ``allowed``."""
    import dns.rcode

    rcode = dns.rcode.to_text(answer.rcode())
    if rcode not in allowed:
        raise refusal(exchange.server, zone, rcode, what, key)


def is_older(serial: int, than: int) -> bool:
    """Whether a serial number is before another one (RFC 1982: numbers wrap around)."""
    return 0 < (than - serial) & 0xFFFFFFFF < 1 << 31


def _query(name: str, kind: str) -> dns.message.Message:
    import dns.message

    return dns.message.make_query(name, kind, flags=0)


def _is(rrset: dns.rrset.RRset, name: str, kind: str) -> bool:
    import dns.rdatatype

    return bool(rrset.rdtype == dns.rdatatype.from_text(kind) and rrset.name.to_text().lower() == name)


def _collect(sets: dict[tuple[str, str], RecordSet], rrset: dns.rrset.RRset) -> None:
    """Add the records of one message to the sets; a set may be divided between messages."""
    import dns.rdatatype

    name, kind = rrset.name.to_text().lower(), dns.rdatatype.to_text(rrset.rdtype)
    rdatas = {_normal(kind, rdata.to_text()) for rdata in rrset}
    if (before := sets.get((name, kind))) is not None:
        rdatas |= set(before.rdatas)
    sets[name, kind] = RecordSet(name, kind, tuple(sorted(rdatas)), rrset.ttl)


def _normal(kind: str, rdata: str) -> str:
    if kind in ("A", "AAAA"):
        return dns_names.address(rdata)[0]
    return rdata.lower() if kind == "CNAME" else rdata

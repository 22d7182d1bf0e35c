"""Asking servers for one name: on a host its own addresses (``query_local``), and comparing what all hosts said (pure)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rancherctl.dns import names
from rancherctl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Answer:
    """What one server said. ``records`` are (name, ttl, type, data); ``rcode`` "" means no answer, then ``error`` says why; ``ms`` is the time."""

    server: str
    rcode: str
    records: tuple[tuple[str, int, str, str], ...] = ()
    authoritative: bool = False
    ms: float = 0.0
    error: str = ""

    def data(self, kind: str = "") -> tuple[str, ...]:
        """The data of all records (of one type), sorted: what two servers are compared by."""
        return tuple(sorted(r[3] for r in self.records if not kind or r[2] == kind))

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **asdict(self),
            "records": [dict(zip(("name", "ttl", "type", "data"), r, strict=True)) for r in self.records],
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Answer:
        """The reverse of ``as_json``."""
        records = tuple((r["name"], int(r["ttl"]), r["type"], r["data"]) for r in data["records"])
        return cls(
            data["server"], data["rcode"], records, bool(data["authoritative"]), float(data["ms"]), data["error"]
        )


NDOTS = 5
"""A pod's resolver looks for names with fewer dots in the cluster first."""


def question(name: str, kind: str, domain: str, namespace: str = "") -> tuple[tuple[str, ...], str]:
    """(absolute names, type) of what a person typed: the first name that exists is meant. Type "" = A, or PTR for an address.

    An address means its reverse name; ``x.ns.svc`` lies in the cluster's domain, and so does ``x.ns``, as for a pod, if it exists there;
    ``x`` does for a pod of ``namespace``.
    """
    normal, _ = names.address(name)
    if normal:
        return (names.reverse(normal),), kind.upper() or "PTR"
    type_, lower = kind.upper() or "A", name.lower()
    if lower.endswith("."):
        return (lower,), type_
    if lower.endswith((".svc", ".pod")):
        return (f"{lower}.{domain}.",), type_
    searched = [f"svc.{domain}"] if "." in lower else []
    if namespace:
        searched = [f"{namespace}.svc.{domain}", f"svc.{domain}", domain]
    if lower.count(".") >= NDOTS or f".{lower}".endswith(f".{domain}"):
        searched = []
    return (*(f"{lower}.{end}." for end in searched), f"{lower}."), type_


def query_local(
    name: str, kind: str, servers: Iterable[str], *, port: int = 53, timeout: float = 3.0
) -> tuple[Answer, ...]:
    """Ask each server by UDP, by TCP where the answer is cut. UsageError for a name or type that does not exist."""
    import dns.exception
    import dns.message

    try:
        query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
    except (dns.exception.DNSException, ValueError) as error:
        raise UsageError(f"cannot ask for {name} {kind}", why=str(error) or type(error).__name__) from error
    return tuple(_ask(query, server, port, timeout) for server in servers)


def _ask(query: Any, server: str, port: int, timeout: float) -> Answer:
    import dns.exception
    import dns.flags
    import dns.query
    import dns.rcode
    import dns.rdatatype

    began = time.monotonic()
    try:
        message, _ = dns.query.udp_with_fallback(query, server, timeout=timeout, port=port, ignore_unexpected=True)
    except dns.exception.Timeout:
        return Answer(server, "", error=f"no answer within {timeout:.0f} s", ms=_ms(began))
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return Answer(server, "", error=str(error) or type(error).__name__, ms=_ms(began))
    records = tuple(
        (s.name.to_text(), s.ttl, dns.rdatatype.to_text(s.rdtype), rdata.to_text())
        for s in message.answer
        for rdata in s
    )
    return Answer(server, dns.rcode.to_text(message.rcode()), records, bool(message.flags & dns.flags.AA), _ms(began))


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1e3, 2)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``common`` is what most servers said; ``differing`` are (host, server) that said something else or nothing, ``silent`` those with nothing."""

    common: Answer | None
    differing: tuple[tuple[str, str], ...]
    silent: tuple[tuple[str, str], ...] = ()


def compare(answers: Mapping[str, Sequence[Answer]]) -> Comparison:
    """Of the answers of each host. Order and time-to-live do not count; a tie goes to what was said first."""
    said = [((host, a.server), (a.rcode, a.data()), a) for host, part in answers.items() for a in part]
    counts = Counter(value for _, value, a in said if a.rcode)
    silent = tuple(place for place, _, a in said if not a.rcode)
    if not counts:
        return Comparison(None, silent, silent)
    best = counts.most_common(1)[0][0]
    return Comparison(
        next(a for _, value, a in said if value == best),
        tuple(place for place, value, _ in said if value != best),
        silent,
    )

"""Query servers for one name (``query_local``, on a host) and compare the answers of all hosts (pure)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rancherctl.dns import names
from rancherctl.errors import UsageError
from rancherctl.net import split_host_port

AnswerRecord = tuple[str, int, str, str]
"""Name, TTL in seconds, type, data."""
_STALE = frozenset({3, 19})
"""Extended errors (RFC 8914): stale answer, stale NXDOMAIN answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one server, received after ``ms`` milliseconds.

    ``records`` are (name, ttl, type, data), ``authority`` those of the section that explains a negative answer.
    ``rcode`` is "" if there was no answer; ``error`` gives the reason. ``stale``: the data has expired, and the server
    could not renew it (RFC 8767).
    """

    server: str
    rcode: str
    records: tuple[AnswerRecord, ...] = ()
    authoritative: bool = False
    ms: float = 0.0
    error: str = ""
    authority: tuple[AnswerRecord, ...] = ()
    stale: bool = False

    def data(self, kind: str = "") -> tuple[str, ...]:
        """The sorted data of all records (of type ``kind``): two servers agree if it is equal."""
        return tuple(sorted(r[3] for r in self.records if not kind or r[2] == kind))

    def as_json(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {**asdict(self), "records": _as_json(self.records), "authority": _as_json(self.authority)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Answer:
        """The reverse of ``as_json``; an agent of an earlier release does not send all fields."""
        return cls(
            data["server"],
            data["rcode"],
            _records(data["records"]),
            bool(data["authoritative"]),
            float(data["ms"]),
            data["error"],
            _records(data.get("authority") or ()),
            bool(data.get("stale")),
        )


def _as_json(records: Iterable[AnswerRecord]) -> list[dict[str, Any]]:
    return [dict(zip(("name", "ttl", "type", "data"), r, strict=True)) for r in records]


def _records(rows: Iterable[Mapping[str, Any]]) -> tuple[AnswerRecord, ...]:
    return tuple((r["name"], int(r["ttl"]), r["type"], r["data"]) for r in rows)


NDOTS = 5
"""A pod's resolver tries the search list first for names with fewer dots."""


def question(name: str, kind: str, domain: str, namespace: str = "") -> tuple[tuple[str, ...], str]:
    """The absolute names to try in order, and the type, for what the user typed.

    The type "" means A, or PTR for an address. An address stands for its reverse name. ``x.ns.svc`` is in the cluster's
    domain; ``x.ns`` is tried there first, as in a pod, and ``x`` too if ``namespace`` (of a pod) is given.
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
    name: str, kind: str, servers: Iterable[str], *, port: int = 53, timeout: float = 3.0, recursive: bool = True
) -> tuple[Answer, ...]:
    """Query each server (ADDRESS or ADDRESS:PORT) by UDP, and by TCP if the answer is truncated.

    Not ``recursive``: only what the server knows, its cache included. Raises UsageError for a bad name or type.
    """
    import dns.exception
    import dns.flags
    import dns.message

    try:
        query = dns.message.make_query(name, kind, use_edns=0, payload=1232)
    except (dns.exception.DNSException, ValueError) as error:
        raise UsageError(f"cannot query {name} {kind}", why=str(error) or type(error).__name__) from error
    if not recursive:
        query.flags &= ~dns.flags.RD
    return tuple(_ask(query, server, port, timeout) for server in servers)


def query_many(
    questions: Iterable[tuple[str, str]], servers: Sequence[str], *, port: int = 53
) -> list[tuple[Answer, ...]]:
    """Ask each server all questions (name, type). A server that does not answer is asked none of the others."""
    silent: dict[str, Answer] = {}
    out = []
    for name, kind in questions:
        answers = {s: silent[s] if s in silent else query_local(name, kind, (s,), port=port)[0] for s in servers}
        silent.update({s: answer for s, answer in answers.items() if not answer.rcode})
        out.append(tuple(answers[s] for s in servers))
    return out


def _ask(query: Any, server: str, port: int, timeout: float) -> Answer:
    import dns.exception
    import dns.flags
    import dns.query
    import dns.rcode
    import dns.rdatatype

    began = time.monotonic()
    address, own_port = split_host_port(server)
    try:
        message, _ = dns.query.udp_with_fallback(
            query, address, timeout=timeout, port=int(own_port or port), ignore_unexpected=True
        )
    except dns.exception.Timeout:
        return Answer(server, "", error=f"no answer within {timeout:.0f} s", ms=_ms(began))
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return Answer(server, "", error=str(error) or type(error).__name__, ms=_ms(began))
    answer, authority = (
        tuple(
            (s.name.to_text(), s.ttl, dns.rdatatype.to_text(s.rdtype), rdata.to_text()) for s in section for rdata in s
        )
        for section in (message.answer, message.authority)
    )
    return Answer(
        server,
        dns.rcode.to_text(message.rcode()),
        answer,
        bool(message.flags & dns.flags.AA),
        _ms(began),
        authority=authority,
        stale=any(getattr(option, "code", None) in _STALE for option in message.options),
    )


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1e3, 2)


@dataclass(frozen=True, slots=True)
class Comparison:
    """``common`` is the answer of most servers.

    ``differing`` are the (host, server) pairs with another answer or none, ``silent`` those with none.
    """

    common: Answer | None
    differing: tuple[tuple[str, str], ...]
    silent: tuple[tuple[str, str], ...] = ()


def compare(answers: Mapping[str, Sequence[Answer]]) -> Comparison:
    """Compare the answers of all hosts, ignoring order and TTL; on a tie the first answer wins."""
    given = [((host, a.server), (a.rcode, a.data()), a) for host, part in answers.items() for a in part]
    counts = Counter(value for _, value, a in given if a.rcode)
    silent = tuple(place for place, _, a in given if not a.rcode)
    if not counts:
        return Comparison(None, silent, silent)
    best = counts.most_common(1)[0][0]
    return Comparison(
        next(a for _, value, a in given if value == best),
        tuple(place for place, value, _ in given if value != best),
        silent,
    )

"""The Kubernetes DNS specification 1.1.0 as a numbered list of questions with the answers that it demands. Pure.

Source: https://github.com/kubernetes/dns/blob/master/docs/specification.md; sections that begin with RFC are what the
specification takes for granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from rancherctl.dns import names
from rancherctl.dns.lookup import Answer
from rancherctl.dns.operator.fixture import PORTS, Fixture

VERSION = "1.1.0"
Question = tuple[str, str]
Rule = Literal["exactly", "ports", "nxdomain", "nothing", "empty", "without", "follow", "alias"]
"""How an answer is judged; ``Check.expected`` has the values.

exactly: these data, no others of the type. ports: SRV records ``PORT TARGET``, whatever priority and weight; a target
``*`` is any name below the Service. nxdomain: the name does not exist. nothing: no records (NXDOMAIN or an empty
answer). empty: the name exists without records of the type, with a SOA. without: not these data, whatever else; the
name may be one that the server asks others for. follow: one name, whose own A record is the
value. alias: a CNAME to the first value, then the other values.
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list; ``skip`` says why it cannot be asked here."""

    section: str
    says: str
    name: str
    type: str
    rule: Rule
    expected: tuple[str, ...] = ()
    skip: str = ""

    @property
    def question(self) -> Question:
        """Name and type."""
        return self.name, self.type

    def wanted(self) -> str:
        """What is expected, for people."""
        texts = {"nxdomain": "NXDOMAIN", "nothing": "no records", "empty": "no records, SOA"}
        if self.rule == "follow":
            return f"a name with A {self.expected[0]}"
        if self.rule == "without":
            return f"not {self.expected[0]}"
        return texts.get(self.rule) or ", ".join(self.expected)


@dataclass(frozen=True, slots=True)
class Judgement:
    """``passed``, and the answer in a few words."""

    passed: bool
    answered: str


def checks(fixture: Fixture) -> tuple[Check, ...]:
    """The whole list for one run, in the order of the specification."""
    return (
        *_general(fixture),
        *_cluster_ip(fixture),
        *_headless_addresses(fixture),
        *_headless_ports(fixture),
        *_external(fixture),
        *_protocol(fixture),
    )


def _general(f: Fixture) -> Iterator[Check]:
    v4 = f.cluster_ips["cluster"]
    first = v4[0] if v4 else ""
    kind = names.address(first)[1] or "A"
    yield Check("2.1", "names are compared without regard to case", f"CLUSTER.{f.zone}", kind, "exactly", (first,))
    yield Check("2.2", "TXT with the schema version", f"dns-version.{f.domain}.", "TXT", "exactly", (f'"{VERSION}"',))


def _cluster_ip(f: Fixture) -> Iterator[Check]:
    name = f"cluster.{f.zone}"
    by_kind: Mapping[str, str] = {
        kind: normal for text in f.cluster_ips["cluster"] for normal, kind in (names.address(text),)
    }
    family = {"A": "IPv4", "AAAA": "IPv6"}
    for kind in ("A", "AAAA"):
        says = f"{kind} of a Service with an {family[kind]} cluster address, ready endpoints or not"
        skip = "" if kind in by_kind else f"the cluster has no {family[kind]} cluster addresses"
        yield Check("2.3.1", says, name, kind, "exactly", (by_kind.get(kind, ""),), skip)
    yield Check("2.3.2", "SRV for a named TCP port", f"_http._tcp.{name}", "SRV", "ports", (f"80 {name}",))
    yield Check("2.3.2", "SRV for a named UDP port", f"_dns._udp.{name}", "SRV", "ports", (f"53 {name}",))
    yield Check("2.3.2", "no SRV with another protocol", f"_http._udp.{name}", "SRV", "nothing")
    yield Check("2.3.2", "no SRV for unnamed ports", f"_80._tcp.plain.{f.zone}", "SRV", "nothing")
    for kind in ("A", "AAAA"):
        says = f"PTR of an {family[kind]} cluster address"
        if kind in by_kind:
            yield Check("2.3.3", says, names.reverse(by_kind[kind]), "PTR", "exactly", (name,))
        else:
            skip = f"the cluster has no {family[kind]} cluster addresses"
            yield Check("2.3.3", says, "", "PTR", "exactly", (name,), skip)


def _headless_addresses(f: Fixture) -> Iterator[Check]:
    name = f"headless.{f.zone}"
    v4, v6 = f.v4, f.v6
    yield Check(
        "2.4.1", "A for each ready endpoint, of all slices", name, "A", "exactly", tuple(v4(n) for n in range(1, 6))
    )
    yield Check("2.4.1", "AAAA for each ready IPv6 endpoint", name, "AAAA", "exactly", (v6(1), v6(6)))
    yield Check("2.4.1", "A by the endpoint's hostname", f"pet-1.{name}", "A", "exactly", (v4(3),))
    yield Check("2.4.1", "all addresses of one hostname", f"pet-0.{name}", "A", "exactly", (v4(1), v4(2)))
    yield Check("2.4.1", "AAAA by the endpoint's hostname", f"pet-6.{name}", "AAAA", "exactly", (v6(6),))
    yield Check(
        "2.4.1", "an endpoint without hostname has a name, too", names.reverse(v4(4)), "PTR", "follow", (v4(4),)
    )
    yield Check("2.4.1", "no name for an endpoint that is not ready", f"pet-9.{name}", "A", "nothing")
    yield Check("2.4.1", "NXDOMAIN without ready endpoints (A)", f"waiting.{f.zone}", "A", "nxdomain")
    yield Check("2.4.1", "NXDOMAIN without ready endpoints (AAAA)", f"waiting.{f.zone}", "AAAA", "nxdomain")
    yield Check("2.4.1", "NXDOMAIN without endpoints", f"empty.{f.zone}", "A", "nxdomain")
    yield Check(
        "2.4.1", "endpoints that count as ready (publishNotReady)", f"eager.{f.zone}", "A", "exactly", (v4(40),)
    )
    yield Check("2.4.1", "and their hostnames", f"early-0.eager.{f.zone}", "A", "exactly", (v4(40),))


def _headless_ports(f: Fixture) -> Iterator[Check]:
    name = f"headless.{f.zone}"
    targets = [f"{pet}.{name}" for pet in ("pet-0", "pet-1", "pet-2", "pet-6")] + ["*"]
    for port, protocol, number in PORTS:
        says = f"SRV for each ready endpoint and port ({port})"
        asked = f"_{port}._{protocol.lower()}.{name}"
        yield Check("2.4.2", says, asked, "SRV", "ports", tuple(f"{number} {target}" for target in targets))
    yield Check("2.4.2", "no SRV without ready endpoints", f"_http._tcp.waiting.{f.zone}", "SRV", "nothing")
    yield Check("2.4.2", "no SRV for unnamed ports", f"_8080._tcp.unnamed.{f.zone}", "SRV", "nothing")
    yield Check("2.4.3", "PTR of an IPv4 endpoint", names.reverse(f.v4(3)), "PTR", "exactly", (f"pet-1.{name}",))
    yield Check("2.4.3", "PTR of an IPv6 endpoint", names.reverse(f.v6(6)), "PTR", "exactly", (f"pet-6.{name}",))
    yield Check(
        "2.4.3", "no PTR of an endpoint that is not ready", names.reverse(f.v4(9)), "PTR", "without", (f"pet-9.{name}",)
    )


def _external(f: Fixture) -> Iterator[Check]:
    yield Check("2.5", "CNAME of an ExternalName", f"outside.{f.zone}", "CNAME", "exactly", ("www.example.com.",))
    targets = {"A": tuple(f.v4(n) for n in range(1, 6)), "AAAA": (f.v6(1), f.v6(6))}
    for kind, values in targets.items():
        says = f"{kind} of an ExternalName: the CNAME and the addresses of its target"
        yield Check("2.5", says, f"alias.{f.zone}", kind, "alias", (f"headless.{f.zone}", *values))


def _protocol(f: Fixture) -> Iterator[Check]:
    kinds = {names.address(text)[1] for text in f.cluster_ips["cluster"]}
    other = next((kind for kind in ("AAAA", "A") if kind not in kinds), "")
    yield Check("RFC 2308", "NXDOMAIN with a SOA for a Service that does not exist", f"nope.{f.zone}", "A", "nxdomain")
    skip = "" if other else "the cluster gives addresses of both families"
    says = "a Service without addresses of a family exists all the same"
    yield Check("RFC 4074", says, f"cluster.{f.zone}", other or "AAAA", "empty", (), skip)
    says = "CNAME also if its target has no address of the family"
    yield Check("RFC 1034", says, f"narrow.{f.zone}", other or "AAAA", "alias", (f"cluster.{f.zone}",), skip)
    yield Check("RFC 8020", "a name exists if names below it do", f.zone, "A", "empty")


def judge(check: Check, answer: Answer, follow: Answer | None = None) -> Judgement:
    """Compare an answer; ``follow`` answers the A question for the name in it (rule follow)."""
    words = _words(check, answer, follow)
    if check.rule in ("nxdomain", "nothing", "empty"):
        return Judgement(bool(answer.rcode) and _is_negative(check, answer), words)
    if check.rule == "without":
        return Judgement(bool(answer.rcode) and not set(check.expected) & set(_lower(answer.data(check.type))), words)
    return Judgement(answer.rcode == "NOERROR" and _has_data(check, answer, follow), words)


def _has_data(check: Check, answer: Answer, follow: Answer | None) -> bool:
    match check.rule:
        case "follow":
            return follow is not None and len(answer.data("PTR")) == 1 and set(check.expected) <= set(follow.data("A"))
        case "ports":
            return _same_ports(check, answer)
        case "alias":
            chain, values = set(_lower(answer.data("CNAME"))), set(answer.data(check.type))
            return check.expected[0] in chain and set(check.expected[1:]) == values
    return sorted(_lower(answer.data(check.type))) == sorted(_lower(check.expected))


def _is_negative(check: Check, answer: Answer) -> bool:
    if answer.records:
        return False
    soa = any(record[2] == "SOA" for record in answer.authority)
    if check.rule == "nothing":
        return answer.rcode in ("NXDOMAIN", "NOERROR")
    return soa and answer.rcode == ("NXDOMAIN" if check.rule == "nxdomain" else "NOERROR")


def _same_ports(check: Check, answer: Answer) -> bool:
    """Priority and weight are not prescribed; ``*`` stands for the name of the endpoint without hostname."""
    found = set(_port_and_target(answer))
    known = {text for text in check.expected if not text.endswith(" *")}
    return (
        known <= found
        and len(found) == len(check.expected)
        and all(text.endswith(f".{check.name.split('.', 2)[2]}") for text in found - known)
    )


def _port_and_target(answer: Answer) -> list[str]:
    return sorted({f"{data.split()[2]} {data.split()[3].lower()}" for data in answer.data("SRV")})


def _lower(texts: Iterable[str]) -> list[str]:
    return [text.lower() for text in texts]


def _words(check: Check, answer: Answer, follow: Answer | None) -> str:
    if not answer.rcode:
        return answer.error
    soa = "" if any(record[2] == "SOA" for record in answer.authority) else ", no SOA"
    if answer.rcode != "NOERROR":
        return answer.rcode + (soa if check.rule == "nxdomain" else "")
    if not answer.records:
        return "no records" + (soa or ", SOA" if check.rule == "empty" else "")
    if check.rule == "ports":
        return ", ".join(_port_and_target(answer))
    data = ", ".join(sorted(record[3] for record in answer.records if record[2] in (check.type, "CNAME")))
    if check.rule == "follow":
        return f"{data}, A {', '.join(follow.data('A')) or follow.rcode or follow.error}" if follow else data
    return data

"""The rules of rancherctl in a host's firewall: read them, plan their changes, and run the commands.

Each firewall needs its own way: an accept in a table of its own would not save a packet from the drop of another one.
Rules carry a comment; firewalld's have none, and are an ipset with the name of rancherctl (firewalld_sources).
Nothing else is changed: no policy, no rule about ssh, no rule of other people.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from rancherctl.errors import RancherctlError
from rancherctl.hosts import firewall, firewalld_sources
from rancherctl.hosts.command import command, script
from rancherctl.hosts.firewall import COMMENT, Argv, FirewallFact, RuleChange
from rancherctl.hosts.firewalld_sources import MARK, FirewalldSources
from rancherctl.hosts.transport import Transport
from rancherctl.text import short_digest


@dataclass(frozen=True, slots=True, order=True)
class NftRule:
    """A rule of rancherctl in an nft chain; ``comment`` has the digest of everything that the chain should accept."""

    family: str
    table: str
    chain: str
    comment: str
    handle: int


@dataclass(frozen=True, slots=True)
class PresentRules:
    """A host's firewall and which rules of it are rancherctl's.

    ``foreign_ufw``: rules of other people.
    """

    fact: FirewallFact
    ufw: frozenset[Argv] = frozenset()
    foreign_ufw: frozenset[Argv] = frozenset()
    firewalld: FirewalldSources = field(default_factory=FirewalldSources)
    nft: tuple[NftRule, ...] = ()
    iptables: frozenset[Argv] = frozenset()


_READ_KERNEL = f"""
echo '{MARK}begin'
{{
{firewall.COMMAND}
}}
echo '{MARK}rules'; if command -v iptables-save >/dev/null; then
  iptables-save -t filter 2>/dev/null | grep -e '--comment {COMMENT} ' || true
fi
"""
_READ_MANAGERS = f"""
echo '{MARK}ufw'; if command -v ufw >/dev/null; then ufw show added; fi
{firewalld_sources.READ}"""


def read(transport: Transport, *, managers: bool = True) -> PresentRules:
    """The firewall of a host, in one round trip. RancherctlError if it cannot be read.

    Without ``managers`` only what is in the kernel: ufw and firewalld keep their own rules, and ufw writes a lock file.
    """
    text = _READ_KERNEL + (_READ_MANAGERS if managers else "")
    output = transport.run(script(f"export LC_ALL=C; set -e\n{text}", timeout=60.0)).text()
    try:
        return parse(output)
    except (ValueError, KeyError, TypeError) as error:
        raise RancherctlError(
            f"{transport.name}: cannot read its firewall", why=f"unexpected output: {error}"
        ) from error


def parse(text: str) -> PresentRules:
    """Parse the output of ``read``'s script after a greeting. Pure. ValueError, KeyError or TypeError if it is odd."""
    parts: dict[str, list[str]] = {"": []}
    current = parts[""]
    for line in text.splitlines():
        if line.startswith(MARK):
            current = parts.setdefault(line.removeprefix(MARK), [])
        else:
            current.append(line)
    rules = [tuple(shlex.split(line))[1:] for line in parts.get("ufw", ()) if line.startswith("ufw ")]
    ending = ("comment", COMMENT)
    found = parts["begin"]
    listings = [json.loads(line)["nftables"] for line in found if line.startswith("{")]
    return PresentRules(
        firewall.parse("\n".join(found)),
        frozenset(rule[:-2] for rule in rules if rule[-2:] == ending),
        frozenset(rule for rule in rules if rule[-2:] != ending),
        firewalld_sources.parse(parts),
        tuple(sorted(rule for listing in listings for rule in _own_rules(listing))),
        frozenset(tuple(shlex.split(line))[1:] for line in parts.get("rules", ())),
    )


def _own_rules(objects: Iterable[dict[str, Any]]) -> list[NftRule]:
    rules = [each["rule"] for each in objects if "rule" in each]
    return [
        NftRule(rule["family"], rule["table"], rule["chain"], rule["comment"], rule["handle"])
        for rule in rules
        if str(rule.get("comment", "")).startswith(f"{COMMENT} ")
    ]


def plan(present: PresentRules, hosts: Iterable[str], pod_cidr: str) -> tuple[RuleChange, ...]:
    """The changes after which the host accepts ``hosts`` (addresses) and pods; no rules without a pod range."""
    known = firewall.addresses(hosts) if pod_cidr else ()
    kind = present.fact.kind if pod_cidr else None
    return (
        *_plan_ufw(present, firewall.ufw_rules(known, pod_cidr) if kind == "ufw" else ()),
        *firewalld_sources.plan(present.firewalld, (*known, pod_cidr) if kind == "firewalld" else ()),
        *_plan_nft(present, known, pod_cidr if kind == "nft" else ""),
        *_plan_iptables(present, known, pod_cidr if kind == "iptables" else ""),
    )


def _plan_ufw(present: PresentRules, wanted: Iterable[Argv]) -> list[RuleChange]:
    rules = [rule for rule in wanted if rule not in present.foreign_ufw]
    out = [
        RuleChange("create", shlex.join(("ufw", *rule)), (("ufw", *rule, "comment", COMMENT),))
        for rule in rules
        if rule not in present.ufw
    ]
    for rule in sorted(present.ufw - set(rules)):
        words = ("route", "delete", *rule[1:]) if rule[0] == "route" else ("delete", *rule)
        out.append(RuleChange("delete", shlex.join(("ufw", *rule)), (("ufw", *words),)))
    return out


def _plan_nft(present: PresentRules, hosts: tuple[str, ...], pod_cidr: str) -> list[RuleChange]:
    """One transaction for each chain: it never has only a part of the rules."""
    comment = f"{COMMENT} {short_digest(repr((hosts, pod_cidr)))}"
    wanted = {(chain.family, chain.table, chain.name): chain for chain in present.fact.chains} if pod_cidr else {}
    own: dict[tuple[str, str, str], list[NftRule]] = {}
    for rule in present.nft:
        own.setdefault((rule.family, rule.table, rule.chain), []).append(rule)
    out = []
    for place in sorted({*wanted, *own}):
        chain, there = wanted.get(place), own.get(place, [])
        texts = [_nft_text(rule, comment) for rule in firewall.nft_rules(chain.hook, hosts, pod_cidr)] if chain else []
        if [rule.comment for rule in there] == [comment] * len(texts) and texts:
            continue
        lines = [f"delete rule {' '.join(place)} handle {rule.handle}" for rule in there]
        lines += [f"insert rule {' '.join(place)} {text}" for text in texts]
        rules = f"accept {', '.join(hosts)} and pods ({pod_cidr})" if texts else "rules of rancherctl"
        name = f"nft {' '.join(place)}: {rules}"
        out.append(RuleChange("create" if texts else "delete", name, (("nft", "; ".join(lines)),)))
    return out


def _nft_text(rule: Argv, comment: str) -> str:
    """The rule as nft reads it, with the digest in its comment."""
    return f'{" ".join(rule[:-1])} "{comment}"'


def _plan_iptables(present: PresentRules, hosts: tuple[str, ...], pod_cidr: str) -> list[RuleChange]:
    ending = ("-m", "comment", "--comment", COMMENT, "-j", "ACCEPT")
    wanted = [
        (chain.name, *rule, *ending)
        for chain in (present.fact.chains if pod_cidr else ())
        if chain.of_iptables
        for rule in firewall.iptables_rules(chain.hook, hosts, pod_cidr)
    ]

    def change(verb: Literal["create", "delete"], rule: Argv) -> RuleChange:
        flag = "-I" if verb == "create" else "-D"
        return RuleChange(verb, shlex.join(("iptables", *rule)), (("iptables", "-w", "5", flag, *rule),))

    return [
        *(change("create", rule) for rule in wanted if rule not in present.iptables),
        *(change("delete", rule) for rule in sorted(present.iptables - set(wanted))),
    ]


def apply(transport: Transport, changes: Iterable[RuleChange]) -> None:
    """Run the commands in order. RancherctlError at the first that fails; the next run continues."""
    for change in changes:
        for argv in change.commands:
            transport.run(command(*argv))


def close(transport: Transport) -> tuple[str, ...]:
    """Remove all rules of rancherctl from a host's firewall; returns one line for each."""
    changes = plan(read(transport), (), "")
    apply(transport, changes)
    return tuple(f"firewall rule {change.name}" for change in changes)


def vanished(present: PresentRules, hosts: Iterable[str], pod_cidr: str) -> tuple[RuleChange, ...]:
    """Rules of nft and iptables that are missing, for the agent: both lose them at a reboot, or if a file is loaded.

    Chains that have such rules stay as they are: an apply may know hosts that have not joined yet.
    """
    if present.fact.kind not in ("nft", "iptables"):
        return ()
    have = {f"nft {rule.family} {rule.table} {rule.chain}:" for rule in present.nft}
    have |= {f"iptables {rule[0]} " for rule in present.iptables}
    return tuple(
        change
        for change in plan(present, hosts, pod_cidr)
        if change.verb == "create" and not change.name.startswith(tuple(have))
    )

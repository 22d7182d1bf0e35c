"""Firewalls of hosts: which one denies traffic by default, and the commands that open it for hosts and pods. Pure.

Needed between the hosts of an environment, and by their pods: everything from the hosts' addresses, everything from
pods to their host (DNS, the API, which kube-proxy translates to a host's address), pods to pods of other hosts and to
the outside, and the replies. VXLAN packets (UDP port 4789) come from hosts' addresses.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, Final, Literal

Kind = Literal["ufw", "firewalld", "iptables", "nft"]
Manager = Literal["", "ufw", "firewalld"]
Argv = tuple[str, ...]

COMMENT: Final = "rancherctl"
"""Marks rules of rancherctl; rules without it are never changed."""
ZONE: Final = "trusted"
"""firewalld's own zone that accepts everything."""
HOOKS: Final = ("input", "forward", "output")
OWN_TABLES: Final = ("kube-proxy", "rancherctl_")
"""Beginnings of names of nft tables that belong to an environment."""
_IPTABLES: Final = ("INPUT", "FORWARD", "OUTPUT")


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One rule that is added or removed, and the commands that do it."""

    verb: Literal["create", "delete"]
    name: str
    commands: tuple[Argv, ...] = field(compare=False)


@dataclass(frozen=True, slots=True, order=True)
class FilterChain:
    """An nft chain at a hook of the packet's way that drops or rejects what none of its rules accepts."""

    family: str
    table: str
    name: str
    hook: str

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"

    @property
    def of_iptables(self) -> bool:
        """Whether iptables made the chain: it can no longer list it once nft has added a rule of another kind."""
        return self.family == "ip" and self.table == "filter" and self.name in _IPTABLES


@dataclass(frozen=True, slots=True)
class FirewallFact:
    """The program that manages the host's firewall ("": none is active), and the chains that deny by default."""

    manager: Manager = ""
    chains: tuple[FilterChain, ...] = ()

    @property
    def kind(self) -> Kind | None:
        """How to open it; None if nothing is denied by default."""
        if not self.chains:
            return None
        return self.manager or ("iptables" if all(chain.of_iptables for chain in self.chains) else "nft")

    def __str__(self) -> str:
        """``ufw``, or ``nft (inet filter input)``."""
        kind = self.kind
        if kind is None:
            return "none"
        return kind if self.manager else f"{kind} ({', '.join(map(str, self.chains))})"


def parse(text: str) -> FirewallFact:
    """Parse the output of ``COMMAND``: the active manager, one JSON listing for each nft table, rules of iptables.

    Raises ValueError or KeyError for anything else.
    """
    manager: Manager = ""
    chains, denies = set[FilterChain](), dict[str, bool]()
    for line in text.splitlines():
        if line in ("ufw", "firewalld"):
            manager = manager or ("ufw" if line == "ufw" else "firewalld")
        elif line.startswith(":"):
            name, policy, *_ = line[1:].split()
            denies[name] = policy == "DROP"
        elif line.startswith("-A "):
            _, name, *rule = line.split()
            denies[f"{name} ends"] = rule[:2] in (["-j", "DROP"], ["-j", "REJECT"])
        elif line.strip():
            chains.update(denying(json.loads(line)["nftables"]))
    chains.update(
        FilterChain("ip", "filter", name, name.lower())
        for name in _IPTABLES
        if denies.get(name) or denies.get(f"{name} ends")
    )
    return FirewallFact(manager, tuple(sorted(chains)))


COMMAND: Final = """
if command -v ufw >/dev/null && grep -qsi '^ENABLED=yes' /etc/ufw/ufw.conf; then echo ufw; fi
if systemctl is-active --quiet firewalld.service; then echo firewalld; fi
if command -v nft >/dev/null; then
  tables=$(nft list tables) || exit 1
  echo "$tables" | while read -r _ family name; do
    case $family/$name in
      ip/kube-proxy | ip/rancherctl_* | inet/rancherctl_*) ;;
      ip/* | inet/*) nft -j list table "$family" "$name" || true ;;
    esac
  done
fi
if command -v iptables-save >/dev/null; then
  iptables-save -t filter 2>/dev/null | grep -E '^(:|-A )(INPUT|FORWARD|OUTPUT) ' || true
fi
"""
"""POSIX shell. A table that is removed meanwhile is left out."""


def denying(objects: Iterable[Mapping[str, Any]]) -> list[FilterChain]:
    """The chains that deny by default: by their policy, or because their last rule drops or rejects everything."""
    found = list(objects)
    chains = [each["chain"] for each in found if "chain" in each]
    last: dict[tuple[str, str, str], Sequence[Mapping[str, Any]]] = {}
    for each in found:
        if "rule" in each:
            rule = each["rule"]
            last[rule["family"], rule["table"], rule["chain"]] = rule["expr"]
    return [
        FilterChain(chain["family"], chain["table"], chain["name"], chain["hook"])
        for chain in chains
        if chain.get("type") == "filter"
        and chain.get("hook") in HOOKS
        and chain["family"] in ("ip", "inet")
        and not chain["table"].startswith(OWN_TABLES)
        and (chain.get("policy") == "drop" or _ends_in_drop((chain["family"], chain["table"], chain["name"]), last, 8))
    ]


def _ends_in_drop(
    chain: tuple[str, str, str], last: Mapping[tuple[str, str, str], Sequence[Mapping[str, Any]]], depth: int
) -> bool:
    """Whether the chain's last rule has no condition and drops, rejects, or leads to a chain that does."""
    expressions = [each for each in last.get(chain, ()) if next(iter(each)) not in ("counter", "log", "limit")]
    if len(expressions) != 1 or not depth:
        return False
    ((kind, value),) = expressions[0].items()
    if kind in ("drop", "reject"):
        return True
    if kind == "xt":
        return isinstance(value, Mapping) and value.get("name") in ("DROP", "REJECT")
    return kind in ("jump", "goto") and _ends_in_drop((*chain[:2], value["target"]), last, depth - 1)


def addresses(hosts: Iterable[str]) -> tuple[str, ...]:
    """IPv4 addresses of hosts without repetition, in numerical order."""
    return tuple(sorted(set(hosts), key=IPv4Address))


def open_commands(firewall: FirewallFact, hosts: Iterable[str], pod_cidr: str) -> tuple[Argv, ...]:
    """Commands that open a host's firewall for ``hosts`` (addresses) and pods; none if it denies nothing.

    Those of ufw and firewalld are kept over reloads and reboots; those of iptables and nft are not.
    """
    kind, known = firewall.kind, addresses(hosts)
    if kind is None:
        return ()
    if kind == "ufw":
        return tuple(("ufw", *rule, "comment", COMMENT) for rule in ufw_rules(known, pod_cidr))
    if kind == "firewalld":
        return tuple(
            ("firewall-cmd", *where, f"--zone={ZONE}", f"--add-source={source}")
            for source in (*known, pod_cidr)
            for where in (("--permanent",), ())
        )
    if kind == "iptables":
        return tuple(
            ("iptables", "-I", chain.name, *rule, "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT")
            for chain in firewall.chains
            for rule in iptables_rules(chain.hook, known, pod_cidr)
        )
    return tuple(
        ("nft", "insert", "rule", chain.family, chain.table, chain.name, *rule)
        for chain in firewall.chains
        for rule in nft_rules(chain.hook, known, pod_cidr)
    )


def ufw_rules(hosts: Sequence[str], pod_cidr: str) -> tuple[Argv, ...]:
    """Rules as ``ufw show added`` prints them, without comments. ufw itself accepts replies."""
    return (
        *(("allow", "from", source) for source in (*hosts, pod_cidr)),
        ("route", "allow", "from", pod_cidr),
        *(("route", "allow", "from", host, "to", pod_cidr) for host in hosts),
    )


def iptables_rules(hook: str, hosts: Sequence[str], pod_cidr: str) -> tuple[Argv, ...]:
    """The matches of one chain, as ``iptables -S`` prints them."""
    if hook == "input":
        return tuple(("-s", source) for source in (*(f"{host}/32" for host in hosts), pod_cidr))
    if hook == "output":
        return tuple(("-d", target) for target in (*(f"{host}/32" for host in hosts), pod_cidr))
    replies = ("-d", pod_cidr, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED")
    return (("-s", pod_cidr), replies, *(("-s", f"{host}/32", "-d", pod_cidr) for host in hosts))


def nft_rules(hook: str, hosts: Sequence[str], pod_cidr: str) -> tuple[Argv, ...]:
    """The rules of one chain, with their comment, as words of an nft command."""
    everybody = f"{{ {', '.join((*hosts, pod_cidr))} }}"
    verdict = ("counter", "accept", "comment", COMMENT)
    if hook == "input":
        return (("ip", "saddr", everybody, *verdict),)
    if hook == "output":
        return (("ip", "daddr", everybody, *verdict),)
    replies = ("ip", "daddr", pod_cidr, "ct", "state", "established,related", *verdict)
    forward = ("ip", "saddr", pod_cidr, *verdict)
    return (
        replies,
        *((("ip", "saddr", f"{{ {', '.join(hosts)} }}", "ip", "daddr", pod_cidr, *verdict),) if hosts else ()),
        forward,
    )


def shown(commands: Iterable[Argv]) -> tuple[str, ...]:
    """Commands as a person types them into a shell."""
    return tuple(shlex.join(argv) for argv in commands)

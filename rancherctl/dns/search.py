"""Which absolute names a resolver asks for, and in which order: resolv.conf, search list, ndots. Pure.

Sources: resolv.conf(5), glibc's res_search, and how the kubelet writes a pod's resolv.conf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rancherctl.dns import names
from rancherctl.dns.lookup import NDOTS

MAX_NAMESERVERS = 3
"""Resolvers ignore the servers after the third."""
MAX_NDOTS = 15


@dataclass(frozen=True, slots=True)
class Resolver:
    """A resolver's configuration: ``search`` are domains without their final dot.

    ``source`` says where it was read: the path of a file, or what it was computed from.
    """

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1
    source: str = ""

    def as_json(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Resolver:
        """The reverse of ``as_json``."""
        return cls(tuple(data["nameservers"]), tuple(data["search"]), int(data["ndots"]), data["source"])


def of_resolv_conf(text: str, source: str = "/etc/resolv.conf") -> Resolver:
    """Parse a resolv.conf; the last ``search`` or ``domain`` line counts. Skips what a resolver would skip."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    ndots = 1
    for line in text.splitlines():
        word, *values = line.split("#")[0].split(";")[0].split() or [""]
        if word == "nameserver" and values:
            servers += values[:1]
        elif word in ("search", "domain"):
            search = tuple(values if word == "search" else values[:1])
        elif word == "options":
            ndots = next((found for v in reversed(values) if (found := _ndots(v)) is not None), ndots)
    return Resolver(tuple(servers[:MAX_NAMESERVERS]), _domains(search), ndots, source)


def _ndots(option: str) -> int | None:
    name, _, number = option.partition(":")
    return min(int(number), MAX_NDOTS) if name == "ndots" and number.isdecimal() else None


def _domains(search: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(domain for text in search if (domain := text.strip(".").lower())))


def of_namespace(namespace: str, domain: str, servers: Sequence[str], host: Resolver) -> Resolver:
    """What the kubelet writes for a pod with dnsPolicy ClusterFirst: the host's own search domains come last."""
    own = (f"{namespace}.svc.{domain}", f"svc.{domain}", domain)
    return Resolver(tuple(servers), _domains((*own, *host.search)), NDOTS, f"a pod of namespace {namespace}")


def candidates(name: str, resolver: Resolver) -> tuple[str, ...]:
    """The absolute names that are asked for, in order, in lower case; a name with a final dot is asked for as it is."""
    lower = name.lower()
    if lower.endswith("."):
        return (lower,)
    searched = tuple(f"{lower}.{domain}." for domain in resolver.search)
    ordered = (f"{lower}.", *searched) if lower.count(".") >= resolver.ndots else (*searched, f"{lower}.")
    return tuple(dict.fromkeys(ordered))


def questions(name: str, kind: str, resolver: Resolver) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The absolute names to try in order, and the record types to ask for at each.

    Without ``kind``: PTR for an IP address or a reverse name, SRV for ``_port._protocol…``, else A and AAAA (what
    programs ask for).
    """
    normal, _ = names.address(name)
    if normal:
        return (names.reverse(normal),), (kind.upper() or "PTR",)
    kinds: tuple[str, ...] = ("A", "AAAA")
    if kind:
        kinds = (kind.upper(),)
    elif name.lower().rstrip(".").endswith(".arpa"):
        kinds = ("PTR",)
    elif name.startswith("_"):
        kinds = ("SRV",)
    return candidates(name, resolver), kinds

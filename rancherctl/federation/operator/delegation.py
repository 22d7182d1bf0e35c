"""Whether the parent of the public zone leads to its name servers, as this machine's resolver sees it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from rancherctl.errors import UnreachableError
from rancherctl.text import and_more

PRIVATE: Final = frozenset({"example", "test", "invalid", "localhost", "internal", "local", "arpa", "lan"})
"""Last labels of names that nothing public leads to (RFC 2606, RFC 6761, RFC 6762)."""
TIMEOUT: Final = 5.0
"""Seconds for the resolver's answer."""
Resolve = Callable[[str], Collection[str]]
"""The name servers of a zone, absolute names; empty if the zone does not exist. Raises UnreachableError."""


def delegation(zone: str, own: Collection[str], resolve: Resolve) -> str:
    """What is wrong with the delegation of ``zone`` (without its final dot), one line; "" if nothing is.

    ``own``: absolute names of the name servers that the zone itself has.
    """
    if zone.rpartition(".")[2] in PRIVATE:
        return ""
    servers = {name.lower() for name in own}
    add = f"add NS records to its parent zone: {zone} NS {_listed(servers)}" if servers else "add its NS records there"
    try:
        found = {name.lower() for name in resolve(f"{zone}.")}
    except UnreachableError as error:
        return f"the delegation of zone {zone} could not be checked: {error}"
    if not found:
        return f"zone {zone} is not delegated, so that resolvers elsewhere do not find its names: {add}"
    if servers and not found & servers:
        return f"zone {zone} is delegated to {_listed(found)}, but its servers are {_listed(servers)}: {add}"
    if more := found - servers:
        return f"zone {zone} is also delegated to {_listed(more)}, which are not among its servers"
    return ""


def _listed(names: Collection[str]) -> str:
    return and_more([name.removesuffix(".") for name in sorted(names)])


def system_resolver(nameserver: str = "", port: int = 53) -> Resolve:
    """Asks the resolver of this machine, or the one that is given."""
    import dns.exception
    import dns.resolver

    def resolve(zone: str) -> Collection[str]:
        try:
            resolver = dns.resolver.Resolver(configure=not nameserver)
            if nameserver:
                resolver.nameservers, resolver.port = [nameserver], port
            answer = resolver.resolve(zone, "NS", lifetime=TIMEOUT, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.exception.DNSException, OSError) as error:
            raise UnreachableError(f"the resolver does not answer: {error}") from error
        return [rdata.target.to_text() for rdata in answer]

    return resolve

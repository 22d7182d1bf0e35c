"""Count the queries that the server sends to each upstream, with an nft table. Its rules only count.

The server's own counters do not tell upstreams apart. Packets of the server's user are counted: questions of the agent
itself, which tests whether an upstream answers, are not.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from rancherctl.dns import upstreams
from rancherctl.errors import RancherctlError
from rancherctl.hosts import nft_table
from rancherctl.hosts.command import command
from rancherctl.hosts.transport import Transport
from rancherctl.text import short_digest

log = logging.getLogger(__name__)
TABLE: Final = "rancherctl_dns"
USER: Final = "bind"


def table_text(servers: Sequence[str], user: str = USER) -> tuple[str, tuple[str, ...]]:
    """The table that counts for ``servers`` (``IP[:PORT]``), and the name of each server's counter. Pure.

    The names depend on the whole list, so counters of another list are not taken for these.
    """
    places = [upstreams.server(text) for text in servers]
    digest = short_digest(repr((servers, user)))
    names = tuple(f"to{index}_{digest}" for index in range(len(servers)))
    lines = [f"table inet {TABLE} {{", *(f"\tcounter {name} {{ }}" for name in names), "\tchain sent {"]
    lines += ["\t\ttype filter hook output priority 0; policy accept;", f"\t\tmeta skuid != {user} accept"]
    for name, place in zip(names, places, strict=True):
        if place is not None:
            to = f"{'ip6' if ':' in place[0] else 'ip'} daddr {place[0]}"
            lines.append(f"\t\t{to} udp dport {place[1]} counter name {name}")
            # Of a question by TCP, the first packet of its connection is counted.
            lines.append(f"\t\t{to} tcp dport {place[1]} tcp flags & (syn | ack) == syn counter name {name}")
    return "\n".join([*lines, "\t}", "}"]) + "\n", names


def parse(listing: bytes) -> dict[str, int]:
    """Packets by counter in what ``nft -j list table`` prints. ValueError, KeyError or TypeError if it is odd."""
    entries = json.loads(listing)["nftables"]
    return {one["counter"]["name"]: int(one["counter"]["packets"]) for one in entries if "counter" in one}


class QueryCounters:
    """The counters of this host. They survive a restart of the agent, and end with the list of servers."""

    def __init__(self, transport: Transport, user: str = USER) -> None:
        self._transport, self._user = transport, user

    def read(self, servers: Sequence[str]) -> Mapping[str, int]:
        """Queries by server; begins to count where it is not counted yet. Empty if this host cannot count."""
        known = tuple(dict.fromkeys(servers))
        text, names = table_text(known, self._user)
        try:
            found = self._read()
            if not set(names) <= set(found):
                nft_table.load(self._transport, TABLE, text)
                found = self._read()
            return {server: found[name] for server, name in zip(known, names, strict=True)}
        except (RancherctlError, ValueError, KeyError, TypeError) as error:  # nft is missing, or a kernel without it
            log.debug("queries to upstreams are not counted: %s", error)
            return {}

    def _read(self) -> dict[str, int]:
        listed = self._transport.run(command("nft", "-j", "list", "table", "inet", TABLE), check=False)
        return parse(listed.stdout) if listed.ok else {}

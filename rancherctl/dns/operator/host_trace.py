"""What each host reported when it asked for a name (dns.trace), as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rancherctl.dns.lookup import Answer
from rancherctl.dns.search import Resolver

Question = tuple[str, str]
"""Absolute name in lower case, and type."""


@dataclass(frozen=True, slots=True)
class Step:
    """One question and its answers; ``zone`` "" = the name is outside the host's zones.

    ``stub`` is the stub domain that contains it. ``cached``: the host had the answer before it was asked; None if it
    answers the name itself.
    """

    name: str
    type: str
    zone: str
    stub: str
    cached: bool | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class UpstreamUse:
    """An upstream resolver as the agent of a host reports it.

    ``domain`` is the stub domain that it answers, "" for all other names; ``order`` its place among those of the
    domain. ``used``: the host forwards to it now. ``why`` is what is wrong with it, "" if nothing is known.
    """

    server: str
    order: int
    used: bool = True
    why: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class HostTrace:
    """The walk of one host through the search list. ``direct`` are the answers of upstreams, asked one by one."""

    host: str
    resolver: Resolver
    servers: tuple[str, ...]
    steps: tuple[Step, ...]
    upstreams: tuple[UpstreamUse, ...]
    direct: Mapping[Question, tuple[Answer, ...]]

    @classmethod
    def of(cls, host: str, data: Mapping[str, Any]) -> HostTrace:
        """Parse what ``agent.pyz dns-explain`` prints."""
        direct: dict[Question, tuple[Answer, ...]] = {}
        for row in data["direct"]:
            key = (row["name"], row["type"])
            direct[key] = (*direct.get(key, ()), Answer.of(row["answer"]))
        return cls(
            host,
            Resolver.of(data["resolver"]),
            tuple(data["servers"]),
            tuple(
                Step(
                    row["name"],
                    row["type"],
                    row["zone"],
                    row["stub"],
                    row["cached"],
                    tuple(map(Answer.of, row["answers"])),
                )
                for row in data["asked"]
            ),
            upstream_uses(data["upstreams"]),
            direct,
        )

    def names(self) -> set[str]:
        """Every name that was asked for, and the targets of aliases in the answers."""
        found = {step.name for step in self.steps}
        return found | {r[3].lower() for s in self.steps for a in s.answers for r in a.records if r[2] == "CNAME"}

    def use_of(self, server: str, domain: str = "") -> UpstreamUse | None:
        """What the agent knows about an upstream."""
        return next((up for up in self.upstreams if up.server == server and up.domain == domain), None)

    @property
    def asks_elsewhere(self) -> tuple[str, ...]:
        """The name servers of the resolver that are not this host's DNS server."""
        return tuple(server for server in self.resolver.nameservers if server not in self.servers)


def upstream_uses(section: Mapping[str, Any]) -> tuple[UpstreamUse, ...]:
    """Parse ``upstreams`` of the DNS role's section; earlier releases of the agent list ``used`` and ``dead``."""
    rows: Sequence[Mapping[str, Any]] | None = section.get("servers")
    if rows is None:
        used: Sequence[str] = section.get("used") or ()
        dead: Sequence[str] = section.get("dead") or ()
        return tuple(
            UpstreamUse(server, order, server not in dead, "does not answer" if server in dead else "")
            for order, server in enumerate(dict.fromkeys((*used, *dead)), 1)
        )
    return tuple(
        UpstreamUse(
            row["server"],
            int(row["order"]),
            bool(row["in_use"]),
            row["why"] or ("does not answer" if row["alive"] is False else ""),
            row["domain"],
        )
        for row in rows
    )

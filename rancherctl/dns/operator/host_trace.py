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
class UpstreamState:
    """An upstream resolver of a host, in the order of use; ``why`` says why it is not in use, "" if it is."""

    server: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class HostTrace:
    """The walk of one host through the search list. ``direct`` are the answers of upstreams, asked one by one."""

    host: str
    resolver: Resolver
    servers: tuple[str, ...]
    steps: tuple[Step, ...]
    upstreams: tuple[UpstreamState, ...]
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
            upstream_states(data["upstreams"]),
            direct,
        )

    def names(self) -> set[str]:
        """Every name that was asked for, and the targets of aliases in the answers."""
        found = {step.name for step in self.steps}
        return found | {r[3].lower() for s in self.steps for a in s.answers for r in a.records if r[2] == "CNAME"}

    @property
    def asks_elsewhere(self) -> tuple[str, ...]:
        """The name servers of the resolver that are not this host's DNS server."""
        return tuple(server for server in self.resolver.nameservers if server not in self.servers)


def upstream_states(section: Mapping[str, Any]) -> tuple[UpstreamState, ...]:
    """The upstreams as the agent of a host reports them (``upstreams`` of the DNS role's section)."""
    used: Sequence[str] = section.get("used") or ()
    dead: Sequence[str] = section.get("dead") or ()
    return tuple(
        UpstreamState(server, "does not answer" if server in dead else "") for server in dict.fromkeys((*used, *dead))
    )

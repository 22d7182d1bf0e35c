"""The roster of load-balancer hosts, objects that can be placed on them, and problems to report. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ObjectProblem:
    """A problem of one load-balanced object, reported in its status and as an Event.

    ``reason`` is a CamelCase token for programs, ``message`` one line for people. ``serious`` means that part of what
    was requested is not served; other problems are notes.
    """

    reason: str
    message: str
    serious: bool = True


@dataclass(frozen=True, slots=True)
class PlacementOptions:
    """Where an object wants to be placed.

    ``wanted`` is the number of instances (0 = one on every eligible host), ``affinity`` are labels of eligible hosts.
    """

    wanted: int = 1
    affinity: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Placeable:
    """One object that load-balancer hosts can carry: an Ingress, or a Service of type LoadBalancer.

    ``key`` is its identity for hashing. ``hash`` names the content that a host confirms. ``ports`` are the TCP ports
    that a host must have free for it. ``obstacle`` says why it cannot be placed on any host ("" = it can).
    ``shared_names`` are DNS names that other objects may have too: their addresses get mixed, so each host of one
    object must be able to answer for the others.
    """

    key: str
    options: PlacementOptions = PlacementOptions()
    hash: str = ""
    ports: tuple[int, ...] = ()
    obstacle: str = ""
    shared_names: frozenset[str] = frozenset()


EVERY_PORT = 0
"""In ``RosterHost.blocked``: the load balancer has failed. Release 0.1 blocked port 80 only, which it always needs."""


@dataclass(frozen=True, slots=True)
class RosterHost:
    """One host as the leader sees it.

    ``address`` is published in statuses, ``internal`` is its InternalIP. ``lb`` says whether it may carry load
    balancers, ``excluded`` whether its Node has the label EXCLUDE_LABEL, ``alive`` whether its agent renews its Lease.
    ``blocked`` are ports on which its load balancer cannot serve, EVERY_PORT for all of them. ``users`` says of some of
    them which pod or Service has them.
    ``draining``: it is being taken out, and then ``excluded``, too; its load balancer goes on for this many seconds
    after its address has left a status. ``cordoned``: it carries only what no other host can.
    """

    name: str
    address: str
    internal: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    lb: bool = True
    alive: bool = True
    blocked: tuple[int, ...] = ()
    excluded: bool = False
    draining: int = 0
    cordoned: bool = False
    users: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Roster:
    """All load-balancer hosts. ``epoch`` counts leaders, ``sequence`` changes.

    The leader stores it in one ConfigMap.
    """

    epoch: int = 0
    sequence: int = 0
    hosts: tuple[RosterHost, ...] = ()

    def host(self, name: str) -> RosterHost | None:
        """The host with this name."""
        return next((h for h in self.hosts if h.name == name), None)

    def newer_than(self, other: Roster) -> bool:
        """Whether this roster may replace ``other``: never one of an earlier leader, never an earlier write."""
        return (self.epoch, self.sequence) >= (other.epoch, other.sequence)

    def to_json(self) -> str:
        """Compact JSON with hosts sorted by name, so that equal rosters give equal text."""
        hosts = [
            {
                "name": h.name,
                "address": h.address,
                "internal": h.internal,
                "labels": dict(sorted(h.labels.items())),
                "lb": h.lb,
                "alive": h.alive,
                "blocked": list(h.blocked),
                **({"excluded": True} if h.excluded else {}),
                **({"draining": h.draining} if h.draining else {}),
                **({"cordoned": True} if h.cordoned else {}),
                **({"users": {str(port): words for port, words in sorted(h.users.items())}} if h.users else {}),
            }
            for h in sorted(self.hosts, key=lambda h: h.name)
        ]
        return json.dumps({"epoch": self.epoch, "sequence": self.sequence, "hosts": hosts}, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Roster:
        """Parse the output of ``to_json``; unknown fields are ignored.

        Raises ValueError if ``text`` is not a roster.
        """
        data: Any = json.loads(text)
        if not isinstance(data, dict) or not isinstance(data.get("hosts"), list):
            raise ValueError("not a roster: expected an object with a list of hosts")  # noqa: TRY004 - one error for all bad text
        try:
            hosts = tuple(
                RosterHost(
                    name=str(h["name"]),
                    address=str(h["address"]),
                    internal=str(h.get("internal", "")),
                    labels={str(k): str(v) for k, v in (h.get("labels") or {}).items()},
                    lb=bool(h.get("lb", True)),
                    alive=bool(h.get("alive", True)),
                    blocked=tuple(int(p) for p in h.get("blocked") or ()),
                    excluded=bool(h.get("excluded", False)),
                    draining=int(h.get("draining", 0)),
                    cordoned=bool(h.get("cordoned", False)),
                    users={int(port): str(words) for port, words in (h.get("users") or {}).items()},
                )
                for h in data["hosts"]
            )
            return Roster(int(data.get("epoch", 0)), int(data.get("sequence", 0)), hosts)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a roster: {error!r}") from error

"""The load-balancer model as frozen values: routes to backends to servers, and the roster of hosts. Pure.

A *backend* here is one Service port (``namespace/service:port``); a *pool* (layout.py) is the place it occupies inside HAProxy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

HTTP_PORT = 80
HASH_SCHEME = 1
"""Number of the rule that makes ``Translated.hash``; hashes of different schemes cannot be compared. 1 in reports without the number."""
CLASS_NAME = "rancher"
STATUS_ANNOTATION = "ingress.rancherctl.io/status"

PathKind = Literal["exact", "prefix", "default"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to tell about one Ingress: ``reason`` is a CamelCase token for machines, ``message`` one line for people.

    ``serious`` problems mean that part of what was asked for is not served; the others are notes.
    """

    reason: str
    message: str
    serious: bool = True


class Server(NamedTuple):
    """One endpoint: an IP address without brackets, and a port. A tuple, because ten thousands are compared with every change."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class BackendRef:
    """A Service port as an Ingress names it: by number, or by name (then ``number`` is 0)."""

    namespace: str
    service: str
    number: int = 0
    name: str = ""
    key: str = field(init=False, compare=False)
    """``namespace/service:port``; unique, and safe in a comment because all parts are validated names."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.namespace}/{self.service}:{self.name or self.number}")

    @staticmethod
    def of(key: str) -> BackendRef:
        """The one with this ``key``. A port's name has a letter in it."""
        namespace, _, rest = key.partition("/")
        service, _, port = rest.rpartition(":")
        return BackendRef(namespace, service, int(port)) if port.isdigit() else BackendRef(namespace, service, 0, port)


@dataclass(frozen=True, slots=True)
class Route:
    """One rule: ``host`` is a lower-case name, ``*.name`` or ``*`` (any); ``path`` starts with a slash and, for prefixes, ends with one.

    ``kind`` ``default`` is a defaultBackend: it answers for ``host`` where no path matched; with host ``*`` for everything unmatched.
    """

    host: str
    kind: PathKind
    path: str
    backend: BackendRef

    @property
    def claim(self) -> tuple[str, str, str]:
        """What two Ingresses may not both own."""
        return (self.host, self.kind, self.path)


@dataclass(frozen=True, slots=True)
class Translated:
    """One Ingress, understood. ``hash`` covers all that decides what is served, except endpoints and placement.

    ``wanted`` is the number of instances asked for, 0 = on all eligible hosts; ``affinity`` are labels a host must carry. ``bare`` are host
    patterns of rules that have no path which can be served: nothing answers for them, and no other Ingress's wildcard does.
    """

    key: str
    created: str
    uid: str
    hash: str
    routes: tuple[Route, ...]
    problems: tuple[Problem, ...] = ()
    wanted: int = 1
    affinity: tuple[tuple[str, str], ...] = ()
    placeable: bool = True
    bare: frozenset[str] = frozenset()
    age: tuple[str, str] = field(init=False, compare=False)
    """Sort key, oldest first; the key decides between equals, so every host and every restart agrees."""
    hosts: frozenset[str] = field(init=False, compare=False)
    """The host patterns of its rules."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "age", (self.created or "9999", self.key))
        object.__setattr__(self, "hosts", self.bare.union(route.host for route in self.routes))


@dataclass(frozen=True, slots=True)
class Model:
    """What one host's HAProxy must do: ports to listen on, routes (one per claim), servers per backend key.

    ``loaded`` are the Ingresses that are in, with their content hashes, ``bare`` host patterns that are known without any route.
    """

    ports: tuple[int, ...] = ()
    routes: tuple[Route, ...] = ()
    servers: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)
    loaded: Mapping[str, str] = field(default_factory=dict)
    bare: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RosterHost:
    """One host as the leader sees it.

    ``address`` is what a status publishes, ``internal`` its InternalIP, ``lb`` whether it may carry load balancers, ``alive`` the leader's
    judgement, ``blocked`` ports that something else on the host occupies.
    """

    name: str
    address: str
    internal: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    lb: bool = True
    alive: bool = True
    blocked: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Roster:
    """Who may carry load balancers; ``epoch`` counts leaders, ``sequence`` its changes. Kept in one ConfigMap by the leader."""

    epoch: int = 0
    sequence: int = 0
    hosts: tuple[RosterHost, ...] = ()

    def host(self, name: str) -> RosterHost | None:
        """The host called ``name``."""
        return next((h for h in self.hosts if h.name == name), None)

    def newer_than(self, other: Roster) -> bool:
        """Whether this one may replace ``other``: never an older leader's, never an older write."""
        return (self.epoch, self.sequence) >= (other.epoch, other.sequence)

    def to_json(self) -> str:
        """Compact JSON, hosts sorted by name: equal rosters give equal text."""
        hosts = [
            {
                "name": h.name,
                "address": h.address,
                "internal": h.internal,
                "labels": dict(sorted(h.labels.items())),
                "lb": h.lb,
                "alive": h.alive,
                "blocked": list(h.blocked),
            }
            for h in sorted(self.hosts, key=lambda h: h.name)
        ]
        return json.dumps({"epoch": self.epoch, "sequence": self.sequence, "hosts": hosts}, separators=(",", ":"))

    @staticmethod
    def from_json(text: str) -> Roster:
        """Parse ``to_json``; unknown fields are ignored. Raises ValueError for anything that is not a roster."""
        data: Any = json.loads(text)
        if not isinstance(data, dict) or not isinstance(data.get("hosts"), list):
            raise ValueError("not a roster: an object with a list of hosts was expected")  # noqa: TRY004 - one error for all bad text
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
                )
                for h in data["hosts"]
            )
            return Roster(int(data.get("epoch", 0)), int(data.get("sequence", 0)), hosts)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a roster: {error!r}") from error


def digest(*parts: object) -> str:
    """Twelve hex digits over the repr of ``parts`` (values with a stable repr only)."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

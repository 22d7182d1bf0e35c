"""Values that the parts of a federation exchange: members' shards of a Service, and what the federation itself is.

Pure. An address is the canonical text of an IPv4 or IPv6 address; regions and zones are DNS labels in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Where a member, or one of its addresses, is. None: not known."""

    region: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class ShardAddress:
    """An address of a member's load balancer for a Service; ``ports``: the TCP ports on which it answers there."""

    address: str
    place: Place = field(default_factory=Place)
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of a federated Service that one member serves.

    ``in_sync``: the copy is as the federation wants it, or was when its member was last seen. ``ready``: whether it has
    a ready endpoint; None if that is not known, which counts as it was. ``refused``: addresses that the member may not
    publish, each with the reason.
    """

    member: str
    place: Place = field(default_factory=Place)
    addresses: tuple[ShardAddress, ...] = ()
    in_sync: bool = True
    ready: bool | None = None
    drained: bool = False
    api_reachable: bool = True
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FederatedService:
    """A Service of the federation with its shards, as the public DNS needs it.

    ``created``: RFC 3339; the older of two Services keeps a host name. ``when_none``: ``keep`` or ``remove``.
    ``priority``: member → rank, 1 first; None publishes all members. ``health_check``: ``tcp`` or ``http:/path``.
    ``offline``: what a withdrawn address means: ``drop``, ``keep`` or ``drop-after TIME``. ``when_none`` may also be
    ``remove-after TIME``; TIME is ``90s``, ``10m`` or ``2h``.
    """

    namespace: str
    name: str
    uid: str
    created: str
    shards: tuple[Shard, ...] = ()
    hostnames: tuple[str, ...] = ()
    priority: Mapping[str, int] | None = None
    when_none: str = "keep"
    health_check: str | None = None
    offline: str = "drop"

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is known of a host name: the ``addresses`` of the last good answer, and why it was not answered since (one
    line, which goes on after "NAME is"; "" if it was)."""

    addresses: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the vantage points say about an address: whether it is withdrawn, why, and since when.

    ``since`` is seconds of the judge's monotonic clock; ``reason`` is one line, "" if it is not withdrawn.
    """

    withdrawn: bool
    reason: str = ""
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class FederationSettings:
    """What a federation is: ``uid`` is that of its namespace kube-system; ``zone`` the public DNS zone; ``ttl`` in
    seconds; ``offline`` and ``when_none`` are the defaults for Services.

    ``servers`` take updates, ``transfer_servers`` give zone transfers (() = the same); both are ``HOST[:PORT]``.
    """

    name: str
    uid: str
    zone: str
    provider: str
    servers: tuple[str, ...] = ()
    ttl: int = 30
    offline: str = "drop"
    when_none: str = "keep"
    transfer_servers: tuple[str, ...] = ()

"""MemberView: what is known of one member at a moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rancherctl.federation.objects import CopyView, ObjectId
from rancherctl.federation.plan import CopyState
from rancherctl.federation.topology import NodePlace


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member as its worker sees it. ``known``: it was listed completely once; ``reachable``: its watches are live.

    ``ready``: Service → whether it has a ready endpoint, for Services whose endpoints can be seen. ``host_names``:
    those that load balancers have given to copies.
    """

    name: str
    known: bool = False
    reachable: bool = False
    copies: Mapping[ObjectId, CopyView] = field(default_factory=dict)
    states: Mapping[ObjectId, CopyState] = field(default_factory=dict)
    ready: Mapping[str, bool] = field(default_factory=dict)
    host_names: frozenset[str] = frozenset()
    nodes: tuple[NodePlace, ...] = ()
    done: frozenset[ObjectId] = frozenset()
    orphans: tuple[ObjectId, ...] = ()
    held: tuple[ObjectId, ...] = ()
    trouble: str = ""

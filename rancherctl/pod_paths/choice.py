"""Which hosts ask which: a few chosen by hash, so that cost per host does not grow with the environment. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rancherctl.placement.place import score
from rancherctl.pod_paths.model import PEERS

ALL_PAIRS: Final = 20
"""Up to this many hosts, a check on request asks every pair."""
SAMPLE: Final = 10
"""Hosts that each host asks in a check on request if there are more."""


def peers_of(node: str, nodes: Iterable[str], count: int = PEERS) -> tuple[str, ...]:
    """The ``count`` other hosts that ``node`` asks, sorted by name; all of them if there are not more.

    The first is the next one in a ring by hash, so that every host is asked by one; the others have the highest scores
    (rendezvous hashing): a host that joins or leaves changes few choices.
    """
    others = set(nodes) - {node}
    if len(others) <= count:
        return tuple(sorted(others))
    ring = sorted({*others, node}, key=lambda name: (score("pod-paths", name), name))
    following = ring[(ring.index(node) + 1) % len(ring)]
    rest = sorted(others - {following}, key=lambda name: (-score(node, name), name))
    return tuple(sorted((following, *rest[: count - 1])))


def asked_now(node: str, nodes: Iterable[str]) -> tuple[str, ...]:
    """The hosts that ``node`` asks in a check on request: all, or a sample in a large environment."""
    known = set(nodes)
    return peers_of(node, known, len(known) if len(known) <= ALL_PAIRS else SAMPLE)

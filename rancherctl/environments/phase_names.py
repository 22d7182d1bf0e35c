"""Names of the phases of an apply: keys of a host's design, of plans and of events. Pure; the phases themselves are in ``phases``."""

from __future__ import annotations

from typing import Final, Literal

PhaseName = Literal[
    "preflight",
    "lock",
    "packages",
    "artefacts",
    "certificates",
    "etcd",
    "control-plane",
    "objects",
    "nodes",
    "agents",
    "ready",
    "prune",
    "record",
]
HOST_PHASES: Final[tuple[PhaseName, ...]] = ("packages", "artefacts", "etcd", "control-plane", "nodes", "agents")
"""Phases whose work is resources of hosts."""

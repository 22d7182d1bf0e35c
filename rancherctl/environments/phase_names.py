"""Names of the phases of an apply: keys of designs, plans and events. Pure; the phases are in ``phases``."""

from __future__ import annotations

from typing import Final, Literal

PhaseName = Literal[
    "preflight",
    "lock",
    "firewall",
    "packages",
    "artefacts",
    "certificates",
    "etcd",
    "control-plane",
    "objects",
    "nodes",
    "agents",
    "firewall-close",
    "ready",
    "prune",
    "record",
]
HOST_PHASES: Final[tuple[PhaseName, ...]] = ("packages", "artefacts", "etcd", "control-plane", "nodes", "agents")
"""Phases whose work is resources of hosts."""

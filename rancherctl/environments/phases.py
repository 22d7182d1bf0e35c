"""The one ordered list of what happens when an environment is applied. Everything that walks through an apply walks this list."""

from __future__ import annotations

from dataclasses import dataclass
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
    "record",
]


@dataclass(frozen=True, slots=True)
class Phase:
    """``critical``: a failure on a control-plane or etcd host ends the run, since everything after depends on it; any other host that fails
    drops out and the others go on."""

    name: PhaseName
    title: str
    critical: bool = True


PHASES: Final[tuple[Phase, ...]] = (
    Phase("preflight", "look at every host before anything is changed"),
    Phase("lock", "keep other operators out"),
    Phase("packages", "packages, users and folders"),
    Phase("artefacts", "programs and images of the bundle"),
    Phase("certificates", "authorities, keys and certificates"),
    Phase("etcd", "etcd"),
    Phase("control-plane", "API server, controller manager, scheduler"),
    Phase("objects", "namespaces, rights and services that every environment has"),
    Phase("nodes", "API balancer, containerd, kubelet, kube-proxy", critical=False),
    Phase("agents", "network, DNS, load balancer and agent", critical=False),
    Phase("ready", "labels of the nodes, and all of them Ready", critical=False),
    Phase("record", "what was applied, kept in the environment"),
)

HOST_PHASES: Final[tuple[PhaseName, ...]] = ("packages", "artefacts", "etcd", "control-plane", "nodes", "agents")
"""Phases whose work is resources of hosts."""


def phase(name: PhaseName) -> Phase:
    """The phase of that name."""
    return next(p for p in PHASES if p.name == name)

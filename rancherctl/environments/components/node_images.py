"""The bundle's images in containerd's store, imported by a oneshot unit at each boot. Pure.

At each boot, because kubelet may have removed unused images.
"""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.bundle.versions import versions_for
from rancherctl.environments.components import places, units
from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Resource


def resources(environment: Environment, archives: Sequence[str]) -> tuple[Resource, ...]:
    """The unit for these image archives (absolute paths on the host); nothing without archives."""
    if not archives:
        return ()
    ctr = places.program("containerd", versions_for(environment.kubernetes).containerd, "ctr")
    imports = [
        f"{ctr} --address={places.CONTAINERD_SOCKET} --namespace=k8s.io images import {path}"
        for path in sorted(archives)
    ]
    service = units.ServiceUnit(
        "images",
        "Container images of a rancherctl environment",
        (imports[0],),
        sandbox="node",
        type="oneshot",
        after=(places.unit("containerd"),),
        wants=(places.unit("containerd"),),
        lines=(*(f"ExecStart={line}" for line in imports[1:]), "RemainAfterExit=yes", "TimeoutStartSec=300"),
        watches=tuple(sorted(archives)),
    )
    return units.resources(service)

"""What makes a host a Node: API balancer, containerd, kubelet, kube-proxy.

The balancers of control-plane hosts are changed one at a time; workers' balancers serve their own host alone.
"""

from __future__ import annotations

from typing import Final

from rancherctl.environments.components import places
from rancherctl.environments.components.balancer import READY_URL
from rancherctl.environments.phases.rolling import Members, RollingResources

NODES: Final = RollingResources(
    "nodes",
    "API balancer, containerd, kubelet, kube-proxy",
    critical=False,
    members=Members(
        "controlplane",
        unit="api-balancer",
        health=lambda _environment: READY_URL,
        ca=places.CA,
        needed=lambda _total: 0,  # each serves its own host
    ),
)

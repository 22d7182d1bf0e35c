"""What makes a host a Node: API balancer, containerd, kubelet, kube-proxy."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.host_resources import HostResources

NODES: Final = HostResources("nodes", "API balancer, containerd, kubelet, kube-proxy", critical=False)

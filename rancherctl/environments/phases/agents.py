"""The agent of every host with its roles' programs, and the controller on control-plane hosts."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.host_resources import HostResources

AGENTS: Final = HostResources("agents", "network, DNS, load balancer and agent", critical=False)

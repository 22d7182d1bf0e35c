"""API server, controller manager and scheduler on the control-plane hosts."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.host_resources import HostResources

CONTROL_PLANE: Final = HostResources("control-plane", "API server, controller manager, scheduler")

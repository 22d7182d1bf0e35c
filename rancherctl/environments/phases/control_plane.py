"""API server, controller manager and scheduler, one control-plane host at a time once an API answers."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.components import places
from rancherctl.environments.components.apiserver import ready_url
from rancherctl.environments.phases.rolling import Members, RollingResources

CONTROL_PLANE: Final = RollingResources(
    "control-plane",
    "API server, controller manager, scheduler",
    members=Members("controlplane", unit="kube-apiserver", health=ready_url, ca=places.CA),
)

"""Programs and images of the bundle, uploaded to the hosts."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.host_resources import HostResources

ARTEFACTS: Final = HostResources("artefacts", "programs and images of the bundle")

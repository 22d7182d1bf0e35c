"""Packages, users and folders of all components: the first change on a host, so its former state is saved before."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.host_resources import HostResources
from rancherctl.environments.removal.requests import remember
from rancherctl.environments.run import EnvironmentRun
from rancherctl.hosts.model import Host


class Packages(HostResources):
    """Host resources that need a record of how the host was before."""

    def prepare(self, run: EnvironmentRun, host: Host) -> None:
        """Have the host save its state before the first change, for ``env rm``."""
        remember(run.context, run.environment, host)


PACKAGES: Final = Packages("packages", "packages, users and folders")

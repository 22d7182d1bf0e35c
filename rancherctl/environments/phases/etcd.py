"""etcd on its hosts, member by member once the cluster serves."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.components.etcd import HEALTH_URL
from rancherctl.environments.phases.rolling import Members, RollingResources
from rancherctl.hosts.fanout import majority

ETCD: Final = RollingResources(
    "etcd", "etcd", members=Members("etcd", unit="etcd", health=lambda _environment: HEALTH_URL, needed=majority)
)

"""etcd on its hosts."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.phases.host_resources import HostResources

ETCD: Final = HostResources("etcd", "etcd")

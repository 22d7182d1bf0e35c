"""The network role: keep this host's pod network as nodes and configuration say, and repair what others break."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rancherctl.errors import RancherctlError
from rancherctl.hosts.remote.disk import StepError
from rancherctl.hosts.transport import Transport
from rancherctl.kube import tables
from rancherctl.kube.objects import Node
from rancherctl.kube.snapshot import Snapshot
from rancherctl.network import apply as apply_module
from rancherctl.network import desired, observe, plan
from rancherctl.network.model import NetworkConfig, NetworkState
from rancherctl.network.proxy import ProxyGuard
from rancherctl.network.watch import Watch

log = logging.getLogger(__name__)


def restore(transport: Transport, config: NetworkConfig, state_path: Path = apply_module.STATE) -> NetworkState:
    """At boot: put back the last known state without the API; on a host that never had one, the DNS addresses."""
    state = apply_module.load(state_path) or NetworkState(config.dns_addresses, nft=desired.nft_table(config, "", ()))
    apply_module.apply(transport, plan.plan(observe.observe(transport), state, plan.LoadedTable())).raise_failures()
    return state


class NetworkRole:
    """Satisfies agents.role.Role; ``start`` makes netlink wake it."""

    name = "network"
    tables: tuple[tables.TableSpec, ...] = (tables.NODES,)
    resync = 30.0

    def __init__(self, config: NetworkConfig, transport: Transport, *, state_path: Path = apply_module.STATE) -> None:
        self._config = config
        self._transport = transport
        self._path = state_path
        self._state = self._saved = apply_module.load(state_path)
        self._loaded = plan.LoadedTable()
        self._watch: Watch | None = None
        self._repairs = 0
        self._proxy = ProxyGuard(transport)

    def start(self, wake: Callable[[], None]) -> None:
        """Begin to watch the kernel."""
        self._watch = Watch(wake)

    def stop(self) -> None:
        """Stop watching; the network stays as it is."""
        if self._watch:
            self._watch.close()
            self._watch = None

    def _wanted(self, nodes: Mapping[str, Node], synced: bool) -> NetworkState:
        own = desired.own_pod_cidr(nodes, self._config.node)
        if self._state is not None and self._config.mode != "none" and not (synced and own):
            # An API that does not know this host, or has not answered yet, takes nothing away.
            return self._state
        links = observe.links(self._transport, self._config.address)
        return desired.desired(self._config, links, own, desired.peers(nodes, self._config))

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Observe, plan, apply; the state goes to disk before the kernel, so that a reboot in between restores the newer one.

        A full disk keeps no route from the kernel: the failure is raised in the end, and the state is written once there is room.
        """
        table = snapshot.table("nodes")
        state = self._state = self._wanted(table.items, table.synced)
        unsaved = self._save(state)
        todo = plan.plan(observe.observe(self._transport), state, self._loaded)
        applied = apply_module.Applied()
        if todo:
            self._repairs += 1
            applied = apply_module.apply(self._transport, todo)
            self._loaded = applied.loaded or self._loaded
        applied.raise_failures()
        if unsaved is not None:
            raise unsaved
        if table.healthy and self._proxy.check():
            log.warning("kube-proxy's rules were gone: it is restarted")
        return {
            "proxy_restarts": self._proxy.restarts,
            "state": state.digest(),
            "routes": len(state.routes),
            "vxlan": state.vxlan is not None,
            "changes": self._repairs,
            "unusable": list(desired.unusable(table.items, self._config)),
        }

    def _save(self, state: NetworkState) -> RancherctlError | None:
        """Keep a new state for the boot unit; why it could not be kept."""
        if state == self._saved:
            return None
        try:
            apply_module.save(state, self._path)
        except (OSError, StepError) as error:
            what = f"the network of this host is up to date, but {self._path} is not"
            return RancherctlError(what, why=str(error), hint="free space there: it is what a boot without the API restores")
        self._saved = state
        return None

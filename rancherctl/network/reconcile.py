"""The network role: apply the pod network that Nodes and configuration describe, and repair foreign changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rancherctl.errors import RancherctlError
from rancherctl.hold import Hold, is_mass_loss
from rancherctl.hosts import firewall_rules
from rancherctl.hosts.remote.disk import StepError
from rancherctl.hosts.transport import Transport
from rancherctl.kube.http.tls import stamp
from rancherctl.kube.objects import Node
from rancherctl.kube.snapshot import Snapshot
from rancherctl.network import apply as apply_module
from rancherctl.network import desired, observe, plan, transition
from rancherctl.network.kube_proxy import KubeProxyWatchdog
from rancherctl.network.model import NetworkConfig, NetworkState, Peer
from rancherctl.network.role_spec import SPEC
from rancherctl.network.watch import NetlinkWatch

log = logging.getLogger(__name__)
PROXY_SECONDS = 30.0
"""Seconds between two checks of kube-proxy's rules without a netlink notification."""
HOLD_SECONDS = 60.0
"""Seconds that a mass loss of Nodes must last before it is believed."""


def restore(transport: Transport, config: NetworkConfig, state_path: Path = apply_module.STATE) -> NetworkState:
    """Restore the last known state at boot, without the API; without a saved state, the DNS addresses.

    Routes that fail because the link has no address yet do not fail the boot: the agent adds them later.
    """
    known = apply_module.load(state_path)
    state, seen = known or desired.dns_only(config), observe.observe(transport)
    todo = plan.plan(seen, state, plan.LoadedTable()) if known or config.mode == "none" else plan.missing(seen, state)
    applied = apply_module.apply(transport, todo)
    late = tuple(failure for failure in applied.failures if failure.startswith(("route/", "tunnel/", "vxlan:")))
    for failure in late:
        log.warning("the agent will retry: %s", failure)
    replace(applied, failures=tuple(failure for failure in applied.failures if failure not in late)).raise_failures()
    return state


@dataclass(slots=True)
class RareCheck:
    """Checks rules after a notification, else every PROXY_SECONDS, because listing them is slow."""

    notified: bool = True
    _next: float = float("-inf")

    def due(self, now: float) -> bool:
        """Whether to check now, ``now`` in monotonic seconds."""
        if not self.notified and now < self._next:
            return False
        self.notified, self._next = False, now + PROXY_SECONDS
        return True


class NetworkRole:
    """Satisfies role_spec.HostRole; ``start`` makes netlink wake it."""

    name = SPEC.name
    tables = SPEC.tables
    resync = 5.0

    def __init__(
        self,
        config: NetworkConfig,
        transport: Transport,
        *,
        state_path: Path = apply_module.STATE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._clock = config, clock
        self._hold = Hold(HOLD_SECONDS)
        self._switch = Hold(transition.SWITCH_SECONDS)
        self._alarm = ""
        self._proxy_check, self._firewall_check = RareCheck(), RareCheck()
        self._transport = transport
        self._path = state_path
        self._state = self._saved = apply_module.load(state_path)
        self._file = stamp(state_path)
        self._loaded = plan.LoadedTable()
        self._watch: NetlinkWatch | None = None
        self._repairs = 0
        self._proxy = KubeProxyWatchdog(transport)

    def start(self, wake: Callable[[], None]) -> None:
        """Start to watch netlink."""

        def notified() -> None:
            self._proxy_check.notified = self._firewall_check.notified = True
            wake()

        self._watch = NetlinkWatch(notified)

    def stop(self) -> None:
        """Stop watching; the network does not change."""
        if self._watch:
            self._watch.close()
            self._watch = None

    def _wanted(self, nodes: Mapping[str, Node], synced: bool) -> NetworkState | None:
        """The desired state; the last known one while the API has not answered or does not know this host.

        None if that is unknown, too: then no route may be removed.
        """
        if self._config.mode == "none":
            return desired.dns_only(self._config)
        own = desired.own_pod_cidr(nodes, self._config.node)
        if not (synced and own):
            return self._state
        links = observe.links(self._transport, self._config.address)
        peers = self._believed(desired.peers(nodes, self._config))
        return self._in_stages(desired.desired(self._config, links, own, peers))

    def _in_stages(self, wanted: NetworkState) -> NetworkState:
        """Hold back what would lose packets while other hosts still have the former network mode."""
        changing = transition.is_changing(self._state, wanted)
        if not self._switch.active(changing, self._clock()) or self._state is None:
            if changing:
                log.info("pods of other hosts are reached in another way from now on (mode %s)", self._config.mode)
            return wanted
        return transition.staged(self._state, wanted)

    def _believed(self, now: tuple[Peer, ...]) -> tuple[Peer, ...]:
        """The peers to route to, including those that a suspicious list lacks: their hosts may be healthy."""
        before = desired.remembered(self._state) if self._state else ()
        lost = desired.vanished(before, now)
        suspicious = is_mass_loss(len(lost), len(before), floor=1)
        text = f"{len(lost)} of {len(before)} hosts vanished from the API at once"
        if not self._hold.active(suspicious, self._clock()):
            if suspicious:
                log.warning("%s and did not come back: removing their routes", text)
            self._alarm = ""
            return now
        if not self._alarm:
            log.error("%s: keeping their routes for %.0f s", text, HOLD_SECONDS)
        self._alarm = f"{text}: keeping their routes for {HOLD_SECONDS:.0f} s"
        return (*now, *lost)

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Observe, plan, apply; saves the state before it changes the kernel, so a reboot restores the newer one.

        A failure (a bad route, a full disk, a link without its address) does not stop the rest and is raised at the
        end.
        """
        table = snapshot.table("nodes")
        failures: list[RancherctlError] = []
        try:
            self._state = self._wanted(table.items, table.synced)
        except RancherctlError as error:
            failures.append(error)
        if (unsaved := self._save()) is not None:
            failures.append(unsaved)
        failed = self._repair()
        if table.healthy and self._proxy_check.due(self._clock()) and self._proxy.check():
            log.warning("kube-proxy's rules were missing: restarted it")
        if self._config.open_firewall and self._firewall_check.due(self._clock()):
            failed += self._keep_firewall_open(table.items)
        if problems := [*failed, *failures]:
            raise problems[0]
        state = self._state or desired.dns_only(self._config)
        return {
            "proxy_restarts": self._proxy.restarts,
            "state": state.digest(),
            "routes": len(state.routes),
            "vxlan": state.vxlan is not None,
            "changes": self._repairs,
            "alarm": self._alarm,
            "unusable": list(desired.unusable(table.items, self._config)) if self._config.mode != "none" else [],
        }

    def _keep_firewall_open(self, nodes: Mapping[str, Node]) -> list[RancherctlError]:
        """Insert the rules of nft or iptables that a reboot or a load of the firewall's file removed."""
        peers = desired.remembered(self._state) if self._state else ()
        known = [self._config.address, *(peer.address for peer in peers)]
        known += [peer.address for peer in desired.peers(nodes, self._config)]
        try:
            lost = firewall_rules.vanished(
                firewall_rules.read(self._transport, managers=False), filter(None, known), self._config.pod_cidr
            )
            firewall_rules.apply(self._transport, lost)
        except RancherctlError as error:
            return [error]
        for change in lost:
            log.warning("a rule of the firewall was missing: %s", change.name)
        return []

    def _repair(self) -> list[RancherctlError]:
        """Apply the state to the kernel and the files; returns the failures."""
        seen, state = observe.observe(self._transport), self._state
        todo = plan.plan(seen, state, self._loaded) if state else plan.missing(seen, desired.dns_only(self._config))
        if not todo:
            return []
        self._repairs += 1
        applied = apply_module.apply(self._transport, todo)
        self._loaded = applied.loaded or self._loaded
        try:
            applied.raise_failures()
        except RancherctlError as error:
            return [error]
        return []

    def _save(self) -> RancherctlError | None:
        """Save a new state, or one whose file was changed, for the boot unit; returns the failure."""
        state = self._state
        if state is None or (state == self._saved and stamp(self._path) == self._file):
            return None
        try:
            apply_module.save(state, self._path)
        except (OSError, StepError) as error:
            return RancherctlError(
                f"the network of this host is up to date, but cannot be saved to {self._path}",
                why=str(error),
                hint="free some space there: a boot without the API restores this file",
            )
        self._saved, self._file = state, stamp(self._path)
        return None

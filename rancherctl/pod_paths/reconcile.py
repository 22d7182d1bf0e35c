"""The role pod-paths: keep the check endpoint connected, check in a period, report what lasts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rancherctl.contract import CHECK_DEVICE
from rancherctl.errors import RancherctlError
from rancherctl.hosts.transport import Transport
from rancherctl.kube.objects import Node
from rancherctl.kube.snapshot import Snapshot
from rancherctl.network import desired, observe
from rancherctl.network.model import NetworkConfig, NetworkState, Peer
from rancherctl.pod_paths.check import PathCheck, PathConfig, Target, could_not_run, targets
from rancherctl.pod_paths.choice import peers_of
from rancherctl.pod_paths.model import STARTING, Check, HostPaths, endpoint, to_section
from rancherctl.pod_paths.role_spec import SPEC
from rancherctl.role_spec import HostSettings

CONFIRM_SECONDS: Final = 5.0
"""A failure is reported if it is still there after this time: kube-proxy or the DNS server may just restart."""
START_SECONDS: Final = 60.0
"""How long a new agent's failures count as part of its start, unless a check has passed."""
FAILING_SECONDS: Final = 20.0
"""Until the next check while something fails: what works again is to be said soon."""
JITTER: Final = 0.2
"""Part of the period by which checks come earlier or later, so that hosts do not check at the same moment."""
API_BALANCER: Final = ("127.0.0.1", 7443)


def device_there() -> bool:
    """Whether this host has the device that leads to the endpoint; it goes with the endpoint's process."""
    return Path("/sys/class/net", CHECK_DEVICE).exists()


def path_config(settings: HostSettings) -> PathConfig:
    """The role's part of the agent's configuration."""
    return PathConfig(
        node=settings.node,
        dns_address=settings.dns_addresses[-1],
        dns_name=f"kubernetes.default.svc.{settings.dns_domain}.",
        api_address=service_address(settings.service_cidr, 1),
        own_api=API_BALANCER,
        routed=settings.network_mode != "none",
    )


def service_address(service_cidr: str, index: int) -> str:
    """The ``index``-th address of the Service range; the API's Service has the first."""
    import ipaddress

    return str(ipaddress.IPv4Network(service_cidr).network_address + index)


def vias(state: NetworkState) -> dict[str, str]:
    """Pod range → the device or gateway that its packets must take. Pure."""
    return {route.destination: route.device or route.via for route in state.routes}


def confirmed(before: HostPaths, first: HostPaths | None, now: HostPaths) -> tuple[HostPaths, bool]:
    """What to report, and whether to check again soon. Pure.

    An answer turns into "no" only if two checks in a row say so; until then the former answer stays. ``first`` is the
    check before this one (None: there was none).
    """

    def settle(known: Check, earlier: Check | None, found: Check) -> tuple[Check, bool]:
        if found.answer != "no" or known.answer == "no" or (earlier is not None and earlier.answer == "no"):
            return found, False
        return known, True

    dns, dns_again = settle(before.dns, first.dns if first else None, now.dns)
    api, api_again = settle(before.api, first.api if first else None, now.api)
    pods, again = dict[str, Check](), dns_again or api_again
    for peer, check in now.pods.items():
        known = before.pods.get(peer, Check("unknown", "", "not checked yet"))
        pods[peer], pod_again = settle(known, first.pods.get(peer) if first else None, check)
        again = again or pod_again
    return HostPaths(dns, api, pods), again


def all_pass(paths: HostPaths) -> bool:
    """Whether every check says yes."""
    return all(check.answer == "yes" for _, check in paths.checks())


class PodPathsRole:
    """Satisfies role_spec.HostRole."""

    name = SPEC.name
    tables = SPEC.tables
    resync = 1.0

    def __init__(
        self,
        config: PathConfig,
        network: NetworkConfig,
        transport: Transport,
        *,
        period: float,
        check: PathCheck | None = None,
        clock: Callable[[], float] = time.monotonic,
        choose: Callable[[], float] = random.random,
        attached: Callable[[], bool] = device_there,
    ) -> None:
        self._config, self._network, self._transport = config, network, transport
        self._check = check or PathCheck(config, transport)
        self._period, self._clock, self._choose, self._device = period, clock, choose, attached
        self._attached, self._failures = False, 0
        self._began = self._due = clock()
        self._reported, self._passed = STARTING, False
        self._last: HostPaths | None = None

    def stop(self) -> None:
        """Do nothing: the endpoint keeps answering other hosts."""

    def reconcile(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Check if it is time to, and return what is known.

        At once if the endpoint was restarted: until it is connected again, other hosts do not reach it.
        """
        if self._clock() >= self._due or (self._attached and not self._device()):
            nodes = snapshot.table("nodes")
            found = self._found(nodes.items) if nodes.synced else STARTING
            self._reported, again = self._judge(found)
            self._due = self._clock() + (CONFIRM_SECONDS if again else self._pause(found))
        return to_section(self._reported)

    def _pause(self, found: HostPaths) -> float:
        period = self._period if all_pass(found) else min(self._period, FAILING_SECONDS)
        if self._failures:  # the endpoint may just start
            period = min(self._period, 2.0 ** min(self._failures, 10))
        return period * (1 + JITTER * (2 * self._choose() - 1))

    def _judge(self, found: HostPaths) -> tuple[HostPaths, bool]:
        """What to report, and whether to check again soon."""
        if found.starting:
            return (self._reported, True)
        reported, again = confirmed(self._reported, self._last, found)
        self._last = found
        self._passed = self._passed or all_pass(found)
        if self._passed or self._clock() - self._began >= START_SECONDS:
            return reported, again
        return replace(reported, starting=True), True

    def _found(self, nodes: Mapping[str, Node]) -> HostPaths:
        """The result of a check now; STARTING while this host has no pod range."""
        if not self._config.routed:
            return self._check.run("", ())
        self._attached, self._failures = False, self._failures + 1
        own = desired.own_pod_cidr(nodes, self._config.node)
        if not own:
            self._failures = 0
            return STARTING
        try:
            peers = desired.peers(nodes, self._network)
            links = observe.links(self._transport, self._network.address)
            state = desired.desired(self._network, links, own, peers)
            here = endpoint(own)
            self._check.attach(here, pod_mtu(state, links.mtu))
            self._attached, self._failures = True, 0
            return self._check.run(here.address, asked(self._config.node, peers, state))
        except RancherctlError as error:
            return could_not_run(f"{error}{f': {error.why}' if error.why and error.why not in str(error) else ''}")


def pod_mtu(state: NetworkState, default: int) -> int:
    """The MTU of new pods: that of the overlay, if there is one. Pure."""
    return state.vxlan.mtu if state.vxlan else default


def asked(node: str, peers: Iterable[Peer], state: NetworkState) -> tuple[Target, ...]:
    """The targets that a host asks in a period. Pure."""
    known = {peer.node: peer for peer in peers}
    return targets((known[name] for name in peers_of(node, known)), vias(state))

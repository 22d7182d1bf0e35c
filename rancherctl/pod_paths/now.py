"""A check on request: ``agent.pyz pod-paths NODE=ADDRESS …`` prints what it finds as JSON. Needs no API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rancherctl.errors import RancherctlError, UsageError
from rancherctl.hosts.transport import Transport
from rancherctl.network import apply as apply_module
from rancherctl.network import desired
from rancherctl.network.model import NetworkState, Peer
from rancherctl.pod_paths import endpoint as endpoint_process
from rancherctl.pod_paths.check import PathCheck, PathConfig, Target, could_not_run, targets
from rancherctl.pod_paths.model import HostPaths, to_section
from rancherctl.pod_paths.reconcile import vias


def parse_peers(words: Sequence[str]) -> dict[str, str]:
    """Address → node, from ``NODE=ADDRESS`` words. Raises UsageError."""
    out = {}
    for word in words:
        node, equals, address = word.partition("=")
        if not (node and equals and address):
            raise UsageError(f"{word[:80]!r} is not NODE=ADDRESS")
        out[address] = node
    return out


def known_targets(state: NetworkState, nodes: dict[str, str]) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """Targets of the named hosts that this host has routes to, and the nodes without any. Pure."""
    peers = {
        nodes[peer.address]: Peer(nodes[peer.address], peer.address, peer.pod_cidr)
        for peer in desired.remembered(state)
        if peer.address in nodes
    }
    return targets(peers.values(), vias(state)), tuple(sorted(set(nodes.values()) - peers.keys()))


def check_now(config: PathConfig, transport: Transport, words: Sequence[str]) -> dict[str, Any]:
    """Check this host's pod paths to the named hosts; returns the section of a report."""
    nodes = parse_peers(words)
    return to_section(_checked(config, transport, nodes))


def _checked(config: PathConfig, transport: Transport, nodes: dict[str, str]) -> HostPaths:
    check = PathCheck(config, transport)
    if not config.routed:
        return check.run("", ())
    state = apply_module.load()
    if state is None:
        return could_not_run("the agent of this host has not set up the pod network yet")
    try:
        own = str(endpoint_process.ask(config.socket, {}, config.timeout).get("address", ""))
    except RancherctlError as error:
        return could_not_run(f"{error} (systemctl status rancherctl-pod-paths)")
    if not own:
        return could_not_run("the check endpoint of this host is not connected to the pod network yet")
    asked, _ = known_targets(state, nodes)
    return check.run(own, asked)

"""Which components a host runs: the one table that a host's design and its ports are derived from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rancherctl.environments.components import (
    apiserver,
    balancer,
    containerd,
    etcd,
    kube_proxy,
    kubelet,
    managers,
    node_images,
)
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.model import LOCAL_API_PORT, Environment
from rancherctl.environments.phase_names import PhaseName
from rancherctl.hosts.model import Host, Resource


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a component's resources follow from. ``archives``: paths of the bundle's image archives on the host."""

    environment: Environment
    host: Host
    machine: MachineFacts
    archives: tuple[str, ...] = ()


def _everywhere(_host: Host) -> bool:
    return True


def _on_etcd(host: Host) -> bool:
    return host.is_a("etcd")


def _on_control_plane(host: Host) -> bool:
    return host.is_a("controlplane")


@dataclass(frozen=True, slots=True)
class Component:
    """A component: the phase that installs it, the hosts that run it, and its TCP ports there (port → user).

    ``in_federation``: whether federations have it, too.
    The API's own port is not listed: the environment's file chooses it.
    """

    phase: PhaseName
    resources: Callable[[Inputs], tuple[Resource, ...]]
    runs_on: Callable[[Host], bool] = _everywhere
    ports: Mapping[int, str] = field(default_factory=dict)
    in_federation: bool = True


COMPONENTS: Final = (
    Component(
        "etcd",
        lambda i: etcd.resources(i.environment, i.host),
        _on_etcd,
        dict.fromkeys((etcd.CLIENT_PORT, etcd.PEER_PORT, etcd.METRICS_PORT), "etcd"),
    ),
    Component("control-plane", lambda i: apiserver.resources(i.environment, i.host), _on_control_plane),
    Component(
        "control-plane",
        lambda i: managers.resources(i.environment),
        _on_control_plane,
        {10257: "kube-controller-manager"},
    ),
    Component(
        "control-plane",
        lambda i: managers.scheduler_resources(i.environment),
        _on_control_plane,
        {10259: "kube-scheduler"},
        in_federation=False,
    ),
    Component("nodes", lambda i: balancer.resources(i.environment), ports={LOCAL_API_PORT: "the API balancer"}),
    Component("nodes", lambda i: containerd.resources(i.environment, i.machine)),
    Component("nodes", lambda i: node_images.resources(i.environment, i.archives)),
    Component(
        "nodes",
        lambda i: kubelet.resources(i.environment, i.host, i.machine),
        ports={10250: "kubelet", 10248: "kubelet"},
    ),
    Component(
        "nodes",
        lambda i: kube_proxy.resources(i.environment, i.host),
        ports={kube_proxy.METRICS_PORT: "kube-proxy", kube_proxy.HEALTH_PORT: "kube-proxy"},
        in_federation=False,  # it would refuse connections to members' addresses from the federation's own hosts
    ),
)


def components_of(environment: Environment, host: Host) -> tuple[Component, ...]:
    """The components that run on a host."""
    here = (component for component in COMPONENTS if component.runs_on(host))
    return tuple(component for component in here if component.in_federation or not environment.is_federation)

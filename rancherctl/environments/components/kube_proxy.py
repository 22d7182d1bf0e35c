"""kube-proxy in nftables mode. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl.environments.components import places, units
from rancherctl.environments.components.kubeconfig import kubeconfig, yaml_file
from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Host, Package, Resource

METRICS_PORT: Final = 10249
HEALTH_PORT: Final = 10256
BETWEEN_SYNCS: Final = "50ms"
"""Shortest time between two updates of the rules. kube-proxy takes 0 for its default, a second: the status of a new
Service, which follows its creation within that second, would wait for the rest of it."""
CONFIG = f"{places.ETC}/kube-proxy.yaml"


def config(environment: Environment, host: Host) -> dict[str, object]:
    """KubeProxyConfiguration. The host's conntrack limits stay: writing them fails in containers."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": places.kubeconfig("kube-proxy")},
        "clusterCIDR": environment.network.pod_cidr,
        "hostnameOverride": host.name,
        "bindAddress": host.address,
        "healthzBindAddress": f"127.0.0.1:{HEALTH_PORT}",
        "metricsBindAddress": f"127.0.0.1:{METRICS_PORT}",
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "nftables": {"minSyncPeriod": BETWEEN_SYNCS, "syncPeriod": "30s"},
    }


def resources(environment: Environment, host: Host) -> tuple[Resource, ...]:
    """Everything of kube-proxy on a host, apart from certificates and the program."""
    service = units.ServiceUnit(
        "kube-proxy",
        "Kubernetes service proxy of a rancherctl environment",
        (places.program("kubernetes", environment.kubernetes, "kube-proxy"), f"--config={CONFIG}"),
        sandbox="root",
        after=("network-online.target", places.unit("api-balancer")),
        capabilities=("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_RESOURCE", "CAP_DAC_READ_SEARCH"),
        lines=("OOMScoreAdjust=-999",),
        watches=(CONFIG, places.kubeconfig("kube-proxy"), places.CA),
    )
    return (
        Package("nftables"),
        Package("conntrack"),
        kubeconfig("kube-proxy"),
        yaml_file(CONFIG, config(environment, host)),
        *units.resources(service),
    )

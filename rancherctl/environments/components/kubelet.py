"""kubelet: every host is a Node; it authenticates with its own certificate and renews it through the API. Pure."""

from __future__ import annotations

from rancherctl.contract import LINK_LOCAL_DNS
from rancherctl.environments.components import places, units
from rancherctl.environments.components.kubeconfig import kubeconfig, yaml_file
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Directory, Host, Resource

CONFIG = f"{places.ETC}/kubelet.yaml"


def taints(host: Host) -> list[dict[str, str]]:
    """Taints that keep ordinary pods off a host without the worker role."""
    if host.is_a("worker"):
        return []
    role = "control-plane" if host.is_a("controlplane") else "etcd"
    return [{"key": f"node-role.kubernetes.io/{role}", "effect": "NoSchedule"}]


def config(environment: Environment, host: Host, machine: MachineFacts) -> dict[str, object]:
    """KubeletConfiguration. Swap and cgroup v1 are accepted: preflight warns about both."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": places.CA},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "systemd" if machine.cgroup_v2 else "cgroupfs",
        "clusterDNS": [LINK_LOCAL_DNS],
        "clusterDomain": environment.dns.domain,
        "containerRuntimeEndpoint": f"unix://{places.CONTAINERD_SOCKET}",
        "eventBurst": 100,
        "failCgroupV1": False,
        "failSwapOn": False,
        "healthzBindAddress": "127.0.0.1",
        "imageMinimumGCAge": "2m0s",
        "readOnlyPort": 0,
        "registerWithTaints": taints(host),
        "resolvConf": machine.resolv_conf,
        "rotateCertificates": True,
        "seccompDefault": True,
        "serializeImagePulls": False,
        "serverTLSBootstrap": True,
        "streamingConnectionIdleTimeout": "4h0m0s",
        "tlsMinVersion": "VersionTLS12",
        "volumePluginDir": f"{places.KUBELET}/volumeplugins",
    }


def resources(environment: Environment, host: Host, machine: MachineFacts) -> tuple[Resource, ...]:
    """Everything of kubelet on a host, apart from certificates and the program."""
    flags = {
        "config": CONFIG,
        "kubeconfig": places.kubeconfig("kubelet"),
        "hostname-override": host.name,
        "node-ip": host.address,
        "cert-dir": f"{places.KUBELET}/pki",
        "root-dir": places.KUBELET,
    }
    service = units.ServiceUnit(
        "kubelet",
        "Kubernetes node agent of a rancherctl environment",
        (
            places.program("kubernetes", environment.kubernetes, "kubelet"),
            *(f"--{key}={value}" for key, value in flags.items()),
        ),
        sandbox="node",
        type="notify",
        after=("network-online.target", places.unit("containerd"), places.unit("api-balancer")),
        wants=("network-online.target", places.unit("containerd")),
        lines=("Delegate=yes", "KillMode=process", "OOMScoreAdjust=-999", "TimeoutStartSec=120"),
        watches=(CONFIG, places.kubeconfig("kubelet"), places.CA),
    )
    return (
        Directory(places.KUBELET, 0o750),
        kubeconfig("kubelet"),
        yaml_file(CONFIG, config(environment, host, machine)),
        *units.resources(service),
    )

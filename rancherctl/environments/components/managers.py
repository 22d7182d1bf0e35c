"""kube-controller-manager and kube-scheduler: leader-elected, on loopback, using the API of their own host. Pure."""

from __future__ import annotations

from rancherctl.environments.components import places, units
from rancherctl.environments.components.kubeconfig import kubeconfig, yaml_file
from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Directory, Resource

OWNER = f"{places.KUBE_USER}:{places.KUBE_USER}"
HOME = f"{places.DATA}/kube"
FLEX = f"{HOME}/volumeplugins"
SCHEDULER_CONFIG = f"{places.ETC}/kube-scheduler.yaml"
FEDERATION_CONTROLLERS = (
    "namespace-controller",
    "resourcequota-controller",
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-cleaner-controller",
    "clusterrole-aggregation-controller",
    "validatingadmissionpolicy-status-controller",
    "node-ipam-controller",
    "node-lifecycle-controller",
    "ttl-controller",
)
"""All that a federation runs: what is not listed would start pods, fill in endpoints, or end the deletion of objects
whose copies shall stay (the garbage collector). A list, because ``*,-x`` starts every controller of the next version.
"""


def _common(name: str) -> dict[str, str]:
    config = places.kubeconfig(name)
    return {
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "bind-address": "127.0.0.1",
        "client-ca-file": places.CA,
        "requestheader-client-ca-file": places.FRONT_CA,
        "tls-min-version": "VersionTLS12",
        "profiling": "false",
    }


def controller_manager_flags(environment: Environment) -> dict[str, str]:
    """Flags of kube-controller-manager. Certificates of kubelets and agents are valid for 90 days."""
    return {
        "kubeconfig": places.kubeconfig("kube-controller-manager"),
        **_common("kube-controller-manager"),
        "allocate-node-cidrs": "true",
        "cluster-cidr": environment.network.pod_cidr,
        "node-cidr-mask-size": "24",
        "service-cluster-ip-range": environment.network.service_cidr,
        "cluster-name": environment.name,
        "cluster-signing-cert-file": places.CA,
        "cluster-signing-key-file": places.CA_KEY,
        "cluster-signing-duration": "2160h",
        "root-ca-file": places.CA,
        "service-account-private-key-file": places.SA_KEY,
        "use-service-account-credentials": "true",
        "leader-elect": "true",
        "flex-volume-plugin-dir": FLEX,  # created at start; the default is not writable
        **({"controllers": ",".join(FEDERATION_CONTROLLERS)} if environment.is_federation else {}),
    }


def scheduler_config() -> dict[str, object]:
    """KubeSchedulerConfiguration: the default profile."""
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": places.kubeconfig("kube-scheduler")},
        "leaderElection": {"leaderElect": True},
        "enableProfiling": False,
    }


def _service(
    environment: Environment, name: str, title: str, flags: dict[str, str], watches: tuple[str, ...]
) -> units.ServiceUnit:
    return units.ServiceUnit(
        name,
        f"Kubernetes {title} of a rancherctl environment",
        (
            places.program("kubernetes", environment.kubernetes, name),
            *(f"--{key}={value}" for key, value in flags.items()),
        ),
        user=places.KUBE_USER,
        after=("network-online.target", places.unit("kube-apiserver")),
        watches=(places.kubeconfig(name), places.CA, *watches),
    )


def _server(environment: Environment) -> str:
    return f"https://127.0.0.1:{environment.api.port}"


def resources(environment: Environment) -> tuple[Resource, ...]:
    """kube-controller-manager on a control-plane host, apart from its certificate and program."""
    manager_flags = controller_manager_flags(environment)
    manager = _service(
        environment, "kube-controller-manager", "controller manager", manager_flags, (places.SA_KEY, places.CA_KEY)
    )
    return (
        Directory(HOME, 0o700, OWNER),
        Directory(FLEX, 0o700, OWNER),
        kubeconfig("kube-controller-manager", server=_server(environment), owner=OWNER),
        *units.resources(manager),
    )


def scheduler_resources(environment: Environment) -> tuple[Resource, ...]:
    """kube-scheduler on a control-plane host, apart from its certificate and program."""
    flags = {"config": SCHEDULER_CONFIG, **_common("kube-scheduler")}
    del flags["profiling"]  # set in the configuration file; both together are refused
    return (
        kubeconfig("kube-scheduler", server=_server(environment), owner=OWNER),
        yaml_file(SCHEDULER_CONFIG, scheduler_config()),
        *units.resources(_service(environment, "kube-scheduler", "scheduler", flags, (SCHEDULER_CONFIG,))),
    )

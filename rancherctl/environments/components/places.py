"""Paths on a host that several components and certificates share. Pure."""

from __future__ import annotations

from typing import Final

from rancherctl import contract
from rancherctl.bundle.layout import binary_dir
from rancherctl.contract import CONTROLLER_NAME, FEDERATION_CONTROLLER

ETC: Final = contract.ETC
PKI: Final = contract.PKI
DATA: Final = contract.DATA
LOG: Final = contract.LOGS
PROGRAMS: Final = contract.PROGRAMS
OPERATOR_TOKEN: Final = f"{PROGRAMS}/bin/operator-token"
CA: Final = f"{PKI}/ca.crt"
CA_KEY: Final = f"{PKI}/ca.key"
ETCD_CA: Final = f"{PKI}/etcd-ca.crt"
ETCD_CA_KEY: Final = f"{PKI}/etcd-ca.key"
FRONT_CA: Final = f"{PKI}/front-proxy-ca.crt"
FRONT_CA_KEY: Final = f"{PKI}/front-proxy-ca.key"
SA_KEY: Final = f"{PKI}/service-account.key"
SA_PUB: Final = f"{PKI}/service-account.pub"
ENCRYPTION: Final = f"{PKI}/encryption.yaml"
KUBELET: Final = "/var/lib/kubelet"
CNI_CONF: Final = "/etc/cni/net.d"
CONTAINERD: Final = f"{DATA}/containerd"
CONTAINERD_SOCKET: Final = "/run/containerd/containerd.sock"
UNITS: Final = contract.UNITS
ETCD_USER: Final = "rancherctl-etcd"
KUBE_USER: Final = "rancherctl-kube"
CONTROLLER_USER: Final = CONTROLLER_NAME
FEDERATION_USER: Final = FEDERATION_CONTROLLER


def crt(name: str) -> str:
    """The certificate file of a leaf."""
    return f"{PKI}/{name}.crt"


def key(name: str) -> str:
    """The key file of a leaf."""
    return f"{PKI}/{name}.key"


def kubeconfig(name: str) -> str:
    """The kubeconfig file of a component."""
    return f"{ETC}/{name}.kubeconfig"


def unit(name: str) -> str:
    """The unit's full name."""
    return f"rancherctl-{name}.service"


def unit_file(name: str) -> str:
    """The path of the unit's text."""
    return f"{UNITS}/{unit(name)}"


def program(component: str, version: str, name: str) -> str:
    """The absolute path of a component's program."""
    return f"{binary_dir(component, version)}/{name}"

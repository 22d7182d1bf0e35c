"""What is removed from a host, and the requests to the program that does it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rancherctl import contract
from rancherctl.environments.components import places
from rancherctl.environments.context import Context
from rancherctl.environments.model import Environment
from rancherctl.hosts import remote_call
from rancherctl.hosts.model import Host
from rancherctl.hosts.transport import Transport
from rancherctl.roles.registry import ROLES

PROGRAM: Final = "rancherctl.environments.removal.remote"
PROGRAM_LIMIT: Final = 180.0
"""Seconds for one operation of the program: stopping pods takes the longest."""
BEFORE: Final = f"{places.DATA}/before.json"
"""The host's record of its state before the first change."""
APPARMOR: Final = "/etc/apparmor.d/local/usr.sbin.named"
CNI_PLUGINS: Final = ("host-local", "loopback", "portmap", "ptp")
LOCK_FOLDER: Final = contract.RUN
NETWORK_NAMESPACES: Final = "/run/netns"
PATHS: Final = (
    places.ETC,
    places.PROGRAMS,
    "/run/containerd",
    *(path for role in ROLES for path in role.paths),
    *(f"/opt/cni/bin/{name}" for name in CNI_PLUGINS),
    "/var/lib/cni",
    "/var/lib/systemd/timers/stamp-rancherctl-certificates.timer",
    "/var/log/pods",
    "/var/log/containers",
    places.DATA,
)
"""Removed with all their content. The last one contains the record of installed packages, so it is removed last."""
EMPTIED: Final = (places.KUBELET, places.CONTAINERD)
"""Folders that may be mount points of the host: emptied, and removed if they are not."""
STOP_ORDER: Final = (
    (
        "rancherctl-certificates.timer",
        *(
            places.unit(name)
            for name in (
                "agent",
                "federation",
                "controller",
                "kubelet",
                "kube-proxy",
                "kube-scheduler",
                "kube-controller-manager",
            )
        ),
    ),
    (places.unit("kube-apiserver"),),
    ("rancherctl-*",),
)
"""Groups of units, stopped one after the other: an API server whose etcd has stopped first does not end by itself."""
MAYBE: Final = (
    "/run/nri",
    "/run/adduser",
    "/opt/containerd",
    *(path for role in ROLES for path in role.runtime_paths),
)
"""What installed programs and packages create at run time: removed only if it did not exist before the first change."""
SPARE: Final = (NETWORK_NAMESPACES,)
"""Folders that other software uses, too: removed only if they did not exist before the first change and are empty."""
KERNEL: Final = ("mount ", "interface ", "address ", "route ", "nft table ", "iptables chain ", "ip6tables chain ")
"""First words of leftovers that must be gone before packages are: without their tools they could not be removed."""
FOLDERS: Final = ("/opt/cni/bin", "/opt/cni", places.CNI_CONF, "/etc/cni")
"""Standard folders with files of several owners: removed if they are empty."""


def paths(host: Host) -> tuple[str, ...]:
    """What is removed from a host with all its content, in this order.

    On a control-plane host the lock's folder is not part of it: the lock is held until all hosts are done.
    """
    return PATHS if host.is_a("controlplane") else (LOCK_FOLDER, *PATHS)


def request(environment: Environment, host: Host, op: str) -> dict[str, Any]:
    """A request to the host's program: names and numbers of the roles, tables of kube-proxy, paths to remove. Pure."""
    return {
        "op": op,
        "path": BEFORE,
        "files": [APPARMOR],
        "maybe": list(MAYBE),
        "spare": list(SPARE),
        "whole": [],
        "folders": [],
        "mounts": [*EMPTIED, "/run/containerd"],
        "devices": [*(device for role in ROLES for device in role.devices), "kube-ipvs0", "nodelocaldns"],
        "addresses": list(environment.dns_addresses()),
        "protocol": 173,
        "tables": ["kube-proxy", *(table for role in ROLES for table in role.nft_tables)],
        "paths": [*paths(host), f"{places.KUBELET}/pki"],
    }


def call(transport: Transport, request: Mapping[str, Any]) -> dict[str, Any]:
    """Run one operation of ``removal.remote`` on a host."""
    return remote_call.call(transport, request, module=PROGRAM, timeout=PROGRAM_LIMIT)


def remember(context: Context, environment: Environment, host: Host) -> None:
    """Have the host record its state before the first change; does nothing if it has a record."""
    call(context.transport(host), request(environment, host, "remember"))


def leftovers(environment: Environment, context: Context, host: Host, before: Mapping[str, Any]) -> tuple[str, ...]:
    """Everything of the environment that exists on a host now, one line each.

    ``before`` is the host's record of its original state, which is deleted by now; if empty, the host reads its own.
    """
    wanted = {**request(environment, host, "left"), "before": before}
    return tuple(call(context.transport(host), wanted)["left"])

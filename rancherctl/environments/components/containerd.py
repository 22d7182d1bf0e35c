"""containerd 2 at its standard paths, with the distribution's runc. Pure."""

from __future__ import annotations

from rancherctl.bundle.images import pause_reference
from rancherctl.bundle.versions import versions_for
from rancherctl.environments.components import places, units
from rancherctl.environments.components.machine import MachineFacts
from rancherctl.environments.model import Environment
from rancherctl.hosts.model import Directory, File, Package, Resource

CONFIG = f"{places.ETC}/containerd.toml"


def config(environment: Environment, machine: MachineFacts) -> str:
    """containerd's configuration, version 3. No user input reaches this text."""
    pause = pause_reference(versions_for(environment.kubernetes))
    runtime, images = "plugins.'io.containerd.cri.v1.runtime'", "plugins.'io.containerd.cri.v1.images'"
    return f"""version = 3
root = "{places.CONTAINERD}"
state = "/run/containerd"

[grpc]
  address = "{places.CONTAINERD_SOCKET}"

[plugins.'io.containerd.internal.v1.opt']
  path = "{places.CONTAINERD}/opt"

[{images}]
  snapshotter = "overlayfs"
  [{images}.pinned_images]
    sandbox = "{pause}"

[{runtime}]
  restrict_oom_score_adj = {_bool(not machine.may_lower_oom)}
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [{runtime}.cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "{places.CNI_CONF}"
  [{runtime}.containerd]
    default_runtime_name = "runc"
    [{runtime}.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [{runtime}.containerd.runtimes.runc.options]
        BinaryName = "{machine.runc}"
        SystemdCgroup = {_bool(machine.cgroup_v2)}
"""


def _bool(value: bool) -> str:
    return "true" if value else "false"


def resources(environment: Environment, machine: MachineFacts) -> tuple[Resource, ...]:
    """Everything of containerd on a host, apart from the programs."""
    version = versions_for(environment.kubernetes).containerd
    folder = places.program("containerd", version, "containerd").rpartition("/")[0]
    service = units.ServiceUnit(
        "containerd",
        "Container runtime of a rancherctl environment",
        (f"{folder}/containerd", f"--config={CONFIG}"),
        sandbox="node",
        type="notify",
        after=("network.target", "local-fs.target"),
        wants=("network.target",),
        lines=(
            f"Environment=PATH={folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "Delegate=yes",
            "KillMode=process",  # containers outlive a restart of the runtime
            "LimitNPROC=infinity",
            "TasksMax=infinity",
            "OOMScoreAdjust=-999",
            "TimeoutStartSec=90",
        ),
        watches=(CONFIG,),
    )
    return (
        Package("runc"),
        Directory(places.CNI_CONF),
        Directory("/opt/cni/bin"),
        File(CONFIG, config(environment, machine).encode()),
        *units.resources(service),
    )

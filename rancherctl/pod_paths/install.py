"""The unit of the check endpoint. Pure."""

from __future__ import annotations

from rancherctl.contract import AGENT_CONFIG, AGENT_PYZ, NETWORK_UNIT, POD_PATHS_UNIT
from rancherctl.hosts.model import File, Package, Resource, Unit
from rancherctl.hosts.unit_text import MULTI_USER, SANDBOX, unit_text

UNIT_PATH = f"/etc/systemd/system/{POD_PATHS_UNIT}"

_UNIT_TEXT = unit_text(
    (
        "Unit",
        (
            "Description=Check of the paths of pods: endpoint in the pod network (rancherctl)",
            "Documentation=man:rancherctl(1)",
            f"After={NETWORK_UNIT}",
            "StartLimitIntervalSec=0",
        ),
    ),
    (
        "Service",
        (
            "Type=notify",
            "NotifyAccess=main",
            f"ExecStart=/usr/bin/python3 -I {AGENT_PYZ} pod-endpoint --config {AGENT_CONFIG}",
            "Restart=always",
            "RestartSec=5",
            "TimeoutStopSec=5",
            "PrivateNetwork=yes",
            "RuntimeDirectory=rancherctl/pod-paths",
            "RuntimeDirectoryMode=0700",
            # for the device of its own network namespace only
            "CapabilityBoundingSet=CAP_NET_ADMIN",
            "CPUQuota=20%",
            "MemoryMax=64M",
            "TasksMax=64",
            *SANDBOX,
            "PrivateDevices=yes",
            "MemoryDenyWriteExecute=yes",
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_NETLINK",
        ),
    ),
    MULTI_USER,
)


def resources() -> tuple[Resource, ...]:
    """The endpoint's unit. A new agent restarts it: it runs the agent's program."""
    return (
        Package("iproute2"),
        File(UNIT_PATH, _UNIT_TEXT.encode()),
        Unit(POD_PATHS_UNIT, restart_on=(UNIT_PATH, AGENT_PYZ.rpartition("/")[0])),
    )

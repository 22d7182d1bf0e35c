"""What a host needs for load balancers, as desired resources. Pure.

The agent writes the configuration in use. Here are the package, the folders, an idle configuration, and the unit that
starts HAProxy with the last configuration, also if the API cannot be reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rancherctl import contract
from rancherctl.hosts.model import Absent, Directory, File, Package, Resource, Unit, User
from rancherctl.hosts.unit_text import MULTI_USER, unit_text
from rancherctl.ingress.haproxy import access_log_unit, render
from rancherctl.ingress.haproxy.driver import USER
from rancherctl.ingress.haproxy.layout import Layout
from rancherctl.ingress.haproxy.reloading import UNIT

CONFIG_FOLDER: Final = f"{contract.ETC}/ingress"
IDLE: Final = f"{CONFIG_FOLDER}/idle.cfg"
UNIT_PATH: Final = f"{contract.UNITS}/{UNIT}"


@dataclass(frozen=True, slots=True)
class IngressHostConfig:
    """``paths`` are those of the agent."""

    paths: render.Paths = field(default_factory=render.Paths)


def unit(paths: render.Paths) -> str:
    """The unit: master-worker mode, no privilege except ports below 1024, restarted at once if it dies.

    Any change of the text, also in a comment, restarts HAProxy on every host during an upgrade and resets connections.
    """
    head = (
        "Description=rancherctl ingress load balancer (HAProxy)",
        "Documentation=man:haproxy(1)",
        "After=network.target rancherctl-network.service",
        "StartLimitIntervalSec=0",
    )
    service = (
        "Type=notify",
        f"User={USER}",
        f"Group={USER}",
        "# Before the agent wrote anything HAProxy starts idle. A damaged configuration is repaired by the agent.",
        f"ExecStartPre=+/bin/sh -c 'test -s {paths.config} || install -m 0640 -g {USER} {IDLE} {paths.config}'",
        "# Release 0.1 ran it as another user.",
        f"ExecStartPre=+/bin/chgrp -R {USER} {paths.data}",
        f"ExecStart=/usr/sbin/haproxy -Ws -f {paths.config} -S {paths.master},mode,600",
        "ExecReload=/bin/kill -USR2 $MAINPID",
        "KillMode=mixed",
        "Restart=always",
        (
            "# The count of restarts is never forgotten, so even the longest pause must be short. "
            "systemd before 254 keeps to the first one."
        ),
        "RestartSec=50ms",
        "RestartSteps=8",
        "RestartMaxDelaySec=500ms",
        "TimeoutStopSec=15",
        "SuccessExitStatus=143",
        "# A reload prints a line for every backend.",
        "LogFilterPatterns=~Proxy [a-z0-9-]+ stopped",
        "RuntimeDirectory=rancherctl/ingress",
        "RuntimeDirectoryMode=0750",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectControlGroups=yes",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        "RestrictNamespaces=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        "MemoryDenyWriteExecute=yes",
        "SystemCallArchitectures=native",
    )
    return unit_text(("Unit", head), ("Service", service), MULTI_USER)


def _keys_at_boot(paths: render.Paths) -> Resource:
    """Put empty files in the place of those in memory: HAProxy starts with them before the agent has written them."""
    if paths.keys_on_disk:
        return Absent(contract.INGRESS_TMPFILES)
    lines = [
        "# Written by rancherctl, changes are overwritten.",
        f"d {contract.RUN} 0755 root root -",
        f"C {paths.memory} 0750 root {USER} - {paths.boot}",
    ]
    return File(contract.INGRESS_TMPFILES, "".join(f"{line}\n" for line in lines).encode(), 0o644)


def resources(config: IngressHostConfig) -> tuple[Resource, ...]:
    """All resources of one host."""
    paths = config.paths
    return (
        Package("haproxy", mask=("haproxy.service",)),
        User(USER, paths.data),
        Directory(CONFIG_FOLDER, 0o755),
        Directory(paths.data, 0o750, f"root:{USER}"),
        _keys_at_boot(paths),
        File(IDLE, render.config(Layout(), paths).encode(), 0o644),
        File(UNIT_PATH, unit(paths).encode(), 0o644),
        Unit(UNIT, restart_on=(UNIT_PATH,)),
        *access_log_unit.resources(paths.log),
    )

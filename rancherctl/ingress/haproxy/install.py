"""What a host needs to carry load balancers, as desired resources. Pure.

The agent writes the configuration that is really used; here is only what is there before it: package, folders, an idle configuration
and the unit that starts HAProxy with whatever was served last, also while the API is away.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rancherctl.hosts.model import Directory, File, Package, Resource, Unit
from rancherctl.ingress.haproxy import render
from rancherctl.ingress.haproxy.driver import UNIT, USER
from rancherctl.ingress.haproxy.layout import Layout

IDLE = "/etc/rancherctl/ingress/idle.cfg"
UNIT_PATH = f"/etc/systemd/system/{UNIT}"


@dataclass(frozen=True, slots=True)
class IngressHostConfig:
    """``paths`` are the same as the agent's."""

    paths: render.Paths = field(default_factory=render.Paths)


def unit_text(paths: render.Paths) -> str:
    """HAProxy in master-worker mode, unprivileged but for ports below 1024, back within a fraction of a second when it dies."""
    return f"""[Unit]
Description=rancherctl ingress load balancer (HAProxy)
Documentation=man:haproxy(1)
After=network.target rancherctl-network.service
StartLimitIntervalSec=0

[Service]
Type=notify
User={USER}
Group={USER}
# Before the agent wrote anything HAProxy starts idle. A damaged configuration is repaired by the agent.
ExecStartPre=+/bin/sh -c 'test -s {paths.config} || install -m 0640 -g {USER} {IDLE} {paths.config}'
ExecStart=/usr/sbin/haproxy -Ws -f {paths.config} -S {paths.master},mode,600
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
Restart=always
# The count of restarts is never forgotten, so even the longest pause must be short. systemd before 254 keeps to the first one.
RestartSec=50ms
RestartSteps=8
RestartMaxDelaySec=500ms
TimeoutStopSec=15
SuccessExitStatus=143
# A reload prints a line for every backend.
LogFilterPatterns=~Proxy [a-z0-9-]+ stopped
RuntimeDirectory=rancherctl/ingress
RuntimeDirectoryMode=0750
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""


def resources(config: IngressHostConfig) -> tuple[Resource, ...]:
    """All resources of one host."""
    paths = config.paths
    return (
        Package("haproxy", mask=("haproxy.service",)),
        Directory("/etc/rancherctl/ingress", 0o755),
        Directory(paths.data, 0o750, f"root:{USER}"),
        File(IDLE, render.config(Layout(), paths).encode(), 0o644),
        File(UNIT_PATH, unit_text(paths).encode(), 0o644),
        Unit(UNIT, restart_on=(UNIT_PATH,)),
    )

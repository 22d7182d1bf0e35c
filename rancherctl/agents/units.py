"""The texts of the agent's and the controller's units. Pure."""

from __future__ import annotations

from collections.abc import Sequence

PYZ = "/opt/rancherctl/agent/current/agent.pyz"
AGENT_UNIT = "rancherctl-agent.service"
CONTROLLER_UNIT = "rancherctl-controller.service"

_TEXT = """\
[Unit]
Description={description}
Documentation=man:rancherctl(1)
After=network.target {after}
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/bin/python3 -I {pyz} {command} --config {config}
Restart=always
RestartSec=500ms
WatchdogSec=180
TimeoutStopSec=15
KillMode=mixed
CapabilityBoundingSet={capabilities}
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome=yes
PrivateTmp=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=yes
LockPersonality=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
{extra}
[Install]
WantedBy=multi-user.target
"""

# The agent: routes and nft (NET_ADMIN, NET_RAW), files of the dns and haproxy users (CHOWN, DAC_OVERRIDE, FOWNER), their
# reloads (KILL) and checks run as them (SETUID, SETGID).
_AGENT_CAPABILITIES = (
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_NET_BIND_SERVICE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_SETUID",
    "CAP_SETGID",
)
AGENT_WRITABLE = ("/etc/rancherctl", "/etc/cni/net.d", "/var/lib/rancherctl", "/run/rancherctl", "/proc/sys/net")


def agent(config: str) -> str:
    """rancherctl-agent.service: roles network, dns and lb of a host."""
    return _TEXT.format(
        description="Keeps the network, DNS and load balancer of this host true (rancherctl)",
        after="rancherctl-network.service rancherctl-dns.service rancherctl-ingress.service rancherctl-api-balancer.service",
        pyz=PYZ,
        command="agent",
        config=config,
        capabilities=" ".join(_AGENT_CAPABILITIES),
        writable=_paths(AGENT_WRITABLE),
        extra="RuntimeDirectory=rancherctl\nRuntimeDirectoryPreserve=yes\n",
    )


def controller(config: str) -> str:
    """rancherctl-controller.service: no root rights at all but reading its own key."""
    return _TEXT.format(
        description="Keeps the roster and the statuses of this environment true (rancherctl)",
        after="rancherctl-kube-apiserver.service rancherctl-api-balancer.service",
        pyz=PYZ,
        command="controller",
        config=config,
        capabilities="",
        writable=_paths(("/var/lib/rancherctl/controller",)),
        extra="ProtectKernelTunables=yes\nPrivateDevices=yes\nMemoryDenyWriteExecute=yes\n",
    )


def _paths(paths: Sequence[str]) -> str:
    return " ".join(f"-{p}" for p in paths)

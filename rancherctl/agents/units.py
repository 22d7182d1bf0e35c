"""systemd unit texts of the agent, the controller and the certificate job. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.contract import AGENT_PYZ, DATA, ETC, PKI, RUN
from rancherctl.environments.components import places
from rancherctl.hosts.sandbox import SANDBOX
from rancherctl.roles.registry import ROLES

AGENT_UNIT = "rancherctl-agent.service"
CONTROLLER_UNIT = "rancherctl-controller.service"
CERTIFICATES_UNIT = "rancherctl-certificates.service"
CERTIFICATES_TIMER = "rancherctl-certificates.timer"

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
{after_start}{user}Restart=always
RestartSec=500ms
WatchdogSec=180
TimeoutStopSec=15
KillMode=mixed
CapabilityBoundingSet={capabilities}
ReadWritePaths={writable}
{sandbox}RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
{extra}
[Install]
WantedBy=multi-user.target
"""

_CERTIFICATES = f"""\
[Unit]
Description=Renewal of this host's certificates (rancherctl)
Documentation=man:rancherctl(1)

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {AGENT_PYZ} renew-certificates --config {{config}}
TimeoutStartSec=600
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER
ReadWritePaths={{writable}}
{SANDBOX}PrivateDevices=yes
PrivateNetwork=yes
ProtectKernelTunables=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX
"""
_TIMER = """\
[Unit]
Description=Daily renewal of this host's certificates (rancherctl)
Documentation=man:rancherctl(1)

[Timer]
OnCalendar=daily
RandomizedDelaySec=6h
Persistent=yes

[Install]
WantedBy=timers.target
"""

# The agent sets routes and nft (NET_ADMIN, NET_RAW), writes files of the users bind and haproxy (CHOWN, DAC_OVERRIDE,
# FOWNER), reloads their processes (KILL) and runs checks as these users (SETUID, SETGID).
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
AGENT_WRITABLE = (ETC, places.CNI_CONF, DATA, RUN, "/proc/sys/net")


def agent(config: str) -> str:
    """rancherctl-agent.service: runs the roles of a host."""
    return _TEXT.format(
        description="Agent for network, DNS and load balancing on this host (rancherctl)",
        after=" ".join((*(unit for role in ROLES for unit in role.units), places.unit("api-balancer"))),
        pyz=AGENT_PYZ,
        sandbox=SANDBOX,
        command="agent",
        config=config,
        capabilities=" ".join(_AGENT_CAPABILITIES),
        writable=_paths(AGENT_WRITABLE),
        # Runs outside the sandbox, so that the agent itself cannot write to the folder of its program.
        after_start=f"ExecStartPost=-+/usr/bin/python3 -I {AGENT_PYZ} tidy --config {config}\n",
        user="",
        extra="RuntimeDirectory=rancherctl\nRuntimeDirectoryPreserve=yes\n",
    )


def controller(config: str) -> str:
    """rancherctl-controller.service: runs as its own user, who can read only the controller's key."""
    return _TEXT.format(
        description="Controller of the environment: roster, statuses, certificate requests (rancherctl)",
        after="rancherctl-kube-apiserver.service rancherctl-api-balancer.service",
        pyz=AGENT_PYZ,
        sandbox=SANDBOX,
        command="controller",
        config=config,
        capabilities="",
        writable=_paths((f"{DATA}/controller",)),
        after_start="",
        user=f"User={places.CONTROLLER_USER}\nGroup={places.CONTROLLER_USER}\n",
        extra="ProtectKernelTunables=yes\nPrivateDevices=yes\nMemoryDenyWriteExecute=yes\n",
    )


def certificates(config: str) -> str:
    """rancherctl-certificates.service: reads the CA keys and writes certificates, without network."""
    return _CERTIFICATES.format(config=config, writable=_paths((PKI,)))


def certificates_timer() -> str:
    """rancherctl-certificates.timer: daily at a random time, and after a boot if a run was missed."""
    return _TIMER


def _paths(paths: Sequence[str]) -> str:
    return " ".join(f"-{p}" for p in paths)

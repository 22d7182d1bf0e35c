"""systemd unit texts of the agent, the controller and the certificate job. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rancherctl.contract import AGENT_PYZ, DATA, ETC, PKI, RUN
from rancherctl.environments.components import places
from rancherctl.hosts.unit_text import MULTI_USER, SANDBOX, unit_text
from rancherctl.roles.registry import ROLES

AGENT_UNIT = "rancherctl-agent.service"
CONTROLLER_UNIT = "rancherctl-controller.service"
FEDERATION_UNIT = "rancherctl-federation.service"
CERTIFICATES_UNIT = "rancherctl-certificates.service"
CERTIFICATES_TIMER = "rancherctl-certificates.timer"

# The agent sets routes and nft (NET_ADMIN, NET_RAW), writes files of the users bind and rancherctl-lb (CHOWN,
# DAC_OVERRIDE, FOWNER), reloads their processes (KILL) and runs checks as these users (SETUID, SETGID).
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
    after = (*(unit for role in ROLES for unit in role.units), places.unit("api-balancer"))
    return _program_unit(
        "Agent for network, DNS and load balancing on this host (rancherctl)",
        f"agent --config {config}",
        after=after,
        # Runs outside the sandbox, so that the agent itself cannot write to the folder of its program.
        start=(f"ExecStartPost=-+/usr/bin/python3 -I {AGENT_PYZ} tidy --config {config}",),
        capabilities=_AGENT_CAPABILITIES,
        writable=AGENT_WRITABLE,
        more=("RuntimeDirectory=rancherctl", "RuntimeDirectoryPreserve=yes"),
    )


def controller(config: str) -> str:
    """rancherctl-controller.service: runs as its own user, who can read only the controller's key."""
    return _program_unit(
        "Controller of the environment: roster, statuses, certificate requests (rancherctl)",
        f"controller --config {config}",
        after=("rancherctl-kube-apiserver.service", "rancherctl-api-balancer.service"),
        start=(f"User={places.CONTROLLER_USER}", f"Group={places.CONTROLLER_USER}"),
        capabilities=(),
        writable=(f"{DATA}/controller",),
        more=("ProtectKernelTunables=yes", "PrivateDevices=yes", "MemoryDenyWriteExecute=yes"),
    )


def federation(config: str) -> str:
    """rancherctl-federation.service: a user of its own, because it holds credentials of members."""
    return _program_unit(
        "Federation: copies in members, health, public DNS names (rancherctl)",
        f"federation --config {config}",
        after=("rancherctl-kube-apiserver.service", "rancherctl-api-balancer.service"),
        start=(f"User={places.FEDERATION_USER}", f"Group={places.FEDERATION_USER}"),
        capabilities=(),
        writable=(f"{DATA}/federation",),
        more=("ProtectKernelTunables=yes", "PrivateDevices=yes", "MemoryDenyWriteExecute=yes"),
    )


def _program_unit(
    description: str,
    command: str,
    *,
    after: Sequence[str],
    start: Sequence[str],
    capabilities: Sequence[str],
    writable: Sequence[str],
    more: Sequence[str],
) -> str:
    """A unit that runs ``agent.pyz COMMAND`` for good, watched by systemd; ``start`` and ``more`` are further lines."""
    unit = (
        f"Description={description}",
        "Documentation=man:rancherctl(1)",
        f"After=network.target {' '.join(after)}",
        "StartLimitIntervalSec=0",
    )
    service = (
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart=/usr/bin/python3 -I {AGENT_PYZ} {command}",
        *start,
        "Restart=always",
        "RestartSec=500ms",
        "WatchdogSec=180",
        "TimeoutStopSec=15",
        "KillMode=mixed",
        f"CapabilityBoundingSet={' '.join(capabilities)}",
        f"ReadWritePaths={_paths(writable)}",
        *SANDBOX,
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        *more,
    )
    return unit_text(("Unit", unit), ("Service", service), MULTI_USER)


def certificates(config: str) -> str:
    """rancherctl-certificates.service: reads the CA keys and writes certificates, without network."""
    unit = ("Description=Renewal of this host's certificates (rancherctl)", "Documentation=man:rancherctl(1)")
    service = (
        "Type=oneshot",
        f"ExecStart=/usr/bin/python3 -I {AGENT_PYZ} renew-certificates --config {config}",
        "TimeoutStartSec=600",
        "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER",
        f"ReadWritePaths={_paths((PKI,))}",
        *SANDBOX,
        "PrivateDevices=yes",
        "PrivateNetwork=yes",
        "ProtectKernelTunables=yes",
        "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_UNIX",
    )
    return unit_text(("Unit", unit), ("Service", service))


def certificates_timer() -> str:
    """rancherctl-certificates.timer: daily at a random time, and after a boot if a run was missed."""
    unit = ("Description=Daily renewal of this host's certificates (rancherctl)", "Documentation=man:rancherctl(1)")
    timer = ("OnCalendar=daily", "RandomizedDelaySec=6h", "Persistent=yes")
    return unit_text(("Unit", unit), ("Timer", timer), ("Install", ("WantedBy=timers.target",)))


def _paths(paths: Sequence[str]) -> str:
    return " ".join(f"-{p}" for p in paths)

"""The resources of a host's network: packages, the boot unit, kernel settings. Pure."""

from __future__ import annotations

from rancherctl.contract import AGENT_CONFIG, AGENT_PYZ, NETWORK_UNIT, SYSCTL_CONFIG
from rancherctl.hosts.model import Directory, File, Package, Resource, Unit
from rancherctl.hosts.unit_text import MULTI_USER, SANDBOX, unit_text

UNIT = NETWORK_UNIT
UNIT_PATH = f"/etc/systemd/system/{UNIT}"
SYSCTL_PATH = SYSCTL_CONFIG

_UNIT_TEXT = unit_text(
    (
        "Unit",
        (
            "Description=Pod network and DNS addresses of this host, as last known (rancherctl)",
            "Documentation=man:rancherctl(1)",
            "After=network.target nftables.service systemd-sysctl.service",
            (
                "Before=rancherctl-dns.service rancherctl-ingress.service "
                "rancherctl-kubelet.service rancherctl-agent.service"
            ),
        ),
    ),
    (
        "Service",
        (
            "Type=oneshot",
            "RemainAfterExit=yes",
            f"ExecStart=/usr/bin/python3 -I {AGENT_PYZ} network-restore --config {AGENT_CONFIG}",
            "TimeoutStartSec=90",
            "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_DAC_OVERRIDE CAP_FOWNER",
            "ReadWritePaths=-/etc/cni/net.d -/var/lib/rancherctl -/proc/sys/net",
            *SANDBOX,
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
        ),
    ),
    MULTI_USER,
)


def resources(*, routed: bool) -> tuple[Resource, ...]:
    """All resources except the agent; ``routed`` False leaves kernel settings to the network add-on."""
    settings = (
        (File(SYSCTL_PATH, b"# Written by rancherctl: pods are routed through this host.\nnet.ipv4.ip_forward = 1\n"),)
        if routed
        else ()
    )
    return (
        Package("iproute2"),
        Package("nftables"),
        Package("procps"),
        Directory("/etc/cni/net.d"),
        Directory("/var/lib/rancherctl/network"),
        *settings,
        File(UNIT_PATH, _UNIT_TEXT.encode()),
        Unit(UNIT, restart_on=(UNIT_PATH, *(file.path for file in settings))),
    )

"""The text of a systemd unit from values, with the sandbox that every rancherctl unit gets. Pure.

``Sandbox`` levels: ``user`` (an unprivileged service), ``root`` (needs some root rights), ``node`` (manages
mounts, cgroups and processes of the whole host: a sandbox would break it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from rancherctl.bundle.layout import ROOT
from rancherctl.environments.components import places
from rancherctl.hosts.model import File, Resource, Unit
from rancherctl.hosts.unit_text import MULTI_USER, continued, unit_text

_COMMON = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
)
_USER = (
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictNamespaces=yes",
    "MemoryDenyWriteExecute=yes",
)


@dataclass(frozen=True, slots=True)
class ServiceUnit:
    """A service unit.

    ``name`` lacks ``rancherctl-``; ``command``: one string per argument; ``watches``: files whose change restarts it.
    """

    name: str
    description: str
    command: Sequence[str]
    sandbox: Literal["user", "root", "node"] = "user"
    user: str = "root"
    type: str = "exec"
    after: Sequence[str] = ("network-online.target",)
    wants: Sequence[str] = ("network-online.target",)
    capabilities: Sequence[str] = ()
    writable: Sequence[str] = ()
    lines: Sequence[str] = field(default_factory=tuple)
    watches: Sequence[str] = ()


def text(service: ServiceUnit) -> str:
    """The unit file. systemd restarts it without limit, after 1 s at first, after 30 s at most."""
    unit = (
        f"Description={service.description}",
        f"After={' '.join(service.after)}",
        f"Wants={' '.join(service.wants)}",
        "StartLimitIntervalSec=0",
    )
    lines = [
        f"Type={service.type}",
        f"ExecStart={continued(service.command)}",
        f"Restart={'on-failure' if service.type == 'oneshot' else 'always'}",
        "RestartSec=1",
        "RestartSteps=5",
        "RestartMaxDelaySec=30",
        "LimitNOFILE=1048576",
    ]
    if service.user != "root":
        lines += [f"User={service.user}", f"Group={service.user}"]
    if service.sandbox != "node":
        lines += [f"CapabilityBoundingSet={' '.join(service.capabilities)}", *_COMMON]
    if service.sandbox == "user":
        lines += _USER
    if service.writable:
        lines.append(f"ReadWritePaths={' '.join(service.writable)}")
    return unit_text(("Unit", unit), ("Service", (*lines, *service.lines)), MULTI_USER)


def resources(service: ServiceUnit) -> tuple[Resource, ...]:
    """The unit's file and the running unit.

    A change of the unit, of what it watches or of its program restarts it: two bundles may differ in a version's build.
    """
    path, program = places.unit_file(service.name), service.command[0]
    # not programs of packages: the distribution's updates replace those
    own = (program,) if program.startswith(f"{ROOT}/") else ()
    return (
        File(path, text(service).encode()),
        Unit(places.unit(service.name), restart_on=(path, *own, *service.watches)),
    )

"""What a host needs for the access log, as desired resources: a user, a folder, a socket and its reader. Pure.

The reader is a process of its own: the agent has rights that nothing needs which parses what clients send, and its
work must not wait for a busy log. Its user can read neither keys nor HAProxy's files.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from rancherctl.contract import (
    ACCESS_LOG,
    ACCESS_LOG_SOCKET_UNIT,
    ACCESS_LOG_UNIT,
    ACCESS_LOG_USER,
    AGENT_CONFIG,
    AGENT_PYZ,
    INGRESS_USER,
    LOGS,
    UNITS,
)
from rancherctl.hosts.model import Directory, File, Resource, Unit, User
from rancherctl.hosts.unit_text import MULTI_USER, SANDBOX, unit_text
from rancherctl.ingress.log_reader import names

FOLDER: Final = str(PurePath(ACCESS_LOG).parent)
_DOCUMENTATION: Final = "Documentation=man:rancherctl(1)"


def socket_text(path: str) -> str:
    """The socket: HAProxy's user may send to it. It stays while the reader restarts."""
    unit = ("Description=Socket of the access log of Ingresses (rancherctl)", _DOCUMENTATION)
    socket = (
        f"ListenDatagram={path}",
        "SocketUser=root",
        f"SocketGroup={INGRESS_USER}",
        "SocketMode=0660",
        "ReceiveBuffer=8M",
    )
    return unit_text(("Unit", unit), ("Socket", socket), ("Install", ("WantedBy=sockets.target",)))


def service_text() -> str:
    """The reader, without network and capabilities."""
    unit = (
        "Description=Access log of Ingresses (rancherctl)",
        _DOCUMENTATION,
        f"Requires={ACCESS_LOG_SOCKET_UNIT}",
        f"After={ACCESS_LOG_SOCKET_UNIT}",
        "StartLimitIntervalSec=0",
    )
    service = (
        f"User={ACCESS_LOG_USER}",
        f"Group={ACCESS_LOG_USER}",
        f"ExecStart=/usr/bin/python3 -I {AGENT_PYZ} access-log --config {AGENT_CONFIG}",
        "Restart=always",
        "RestartSec=500ms",
        "CapabilityBoundingSet=",
        f"ReadWritePaths={FOLDER}",
        *SANDBOX,
        "PrivateDevices=yes",
        "PrivateNetwork=yes",
        "ProtectKernelTunables=yes",
        "MemoryDenyWriteExecute=yes",
        "RestrictAddressFamilies=AF_UNIX",
        "UMask=0027",
    )
    return unit_text(("Unit", unit), ("Service", service), MULTI_USER)


def resources(path: str) -> tuple[Resource, ...]:
    """All resources; ``path`` is that of the socket."""
    socket, service = f"{UNITS}/{ACCESS_LOG_SOCKET_UNIT}", f"{UNITS}/{ACCESS_LOG_UNIT}"
    program = str(PurePath(AGENT_PYZ).parent)
    files = tuple(PurePath(name).name for name in names())
    return (
        User(ACCESS_LOG_USER),
        Directory(LOGS),
        Directory(FOLDER, 0o750, f"{ACCESS_LOG_USER}:{ACCESS_LOG_USER}", written=files),
        File(socket, socket_text(path).encode()),
        File(service, service_text().encode()),
        Unit(ACCESS_LOG_SOCKET_UNIT, restart_on=(socket,)),
        Unit(ACCESS_LOG_UNIT, restart_on=(socket, service, program)),
    )

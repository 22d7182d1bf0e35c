"""What systemd keeps from every unit that runs our own program on a host. Pure."""

from __future__ import annotations

from typing import Final

SANDBOX: Final = """\
NoNewPrivileges=yes
ProtectSystem=strict
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
"""
"""Lines of a [Service] section. The unit adds its capabilities, the folders that it writes and the families of its sockets."""

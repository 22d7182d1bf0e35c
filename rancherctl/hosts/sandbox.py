"""systemd sandboxing of every unit that runs a rancherctl program on a host. Pure."""

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
"""Lines of a [Service] section; each unit adds its capabilities, writable paths and address families."""

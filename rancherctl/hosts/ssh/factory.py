"""Make transports to hosts with paramiko."""

from __future__ import annotations

from rancherctl.hosts.host_keys import AcceptedKeys
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh.transport import SshTransport
from rancherctl.hosts.ssh_settings import SshSettings
from rancherctl.hosts.ssh_transports import JumpTransports, Settings


class SshTransports(JumpTransports[SshTransport]):
    """Transports of the paramiko implementation."""

    def __init__(self, prompts: Prompts, settings: Settings) -> None:
        accepted = AcceptedKeys()

        def make(_: SshAddress, found: SshSettings, name: str, via: SshTransport | None) -> SshTransport:
            return SshTransport(found, name=name, prompts=prompts, via=via, accepted=accepted)

        super().__init__(settings, make)

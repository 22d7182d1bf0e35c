"""Make transports to hosts with the system's OpenSSH."""

from __future__ import annotations

from collections.abc import Callable

from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.host_key_policy import AcceptedFingerprints
from rancherctl.hosts.openssh.transport import OpenSshTransport
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.remote_host import jitter
from rancherctl.hosts.ssh_settings import SshSettings
from rancherctl.hosts.ssh_transports import JumpTransports, Settings


class OpenSshTransports(JumpTransports[OpenSshTransport]):
    """Transports of the OpenSSH implementation."""

    def __init__(self, prompts: Prompts, settings: Settings, *, backoff: Callable[[int], float] = jitter) -> None:
        accepted = AcceptedFingerprints()

        def make(address: SshAddress, found: SshSettings, name: str, via: OpenSshTransport | None) -> OpenSshTransport:
            return OpenSshTransport(
                address, found, name=name, prompts=prompts, via=via, backoff=backoff, accepted=accepted
            )

        super().__init__(settings, make)

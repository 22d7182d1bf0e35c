"""A host over ssh with OpenSSH."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.connection import MuxConnection
from rancherctl.hosts.openssh.host_key_policy import AcceptedFingerprints
from rancherctl.hosts.openssh.login import OpenSshLogin
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.remote_host import RemoteHost, jitter
from rancherctl.hosts.ssh_settings import SshSettings


class OpenSshTransport(RemoteHost[MuxConnection]):
    """A host through a master of OpenSSH; ``via`` is the jump host's transport."""

    client = "OpenSSH"

    def __init__(
        self,
        address: SshAddress,
        settings: SshSettings,
        *,
        name: str = "",
        prompts: Prompts | None = None,
        via: OpenSshTransport | None = None,
        backoff: Callable[[int], float] = jitter,
        accepted: AcceptedFingerprints | None = None,
    ) -> None:
        name, prompts, closed = name or settings.host, prompts or Prompts(), threading.Event()
        accepted = accepted or AcceptedFingerprints()
        self._login = OpenSshLogin(address, settings, name, prompts, via, closed, backoff, accepted)
        super().__init__(name, self._login.connect, self._login.who, prompts, closed=closed, backoff=backoff)

    def stop(self) -> None:
        """Begin no further attempt to connect, and end one in progress."""
        super().stop()
        self._login.cancel()

"""The settings of hosts by the user's ssh configuration, and the ssh client that they need."""

from __future__ import annotations

from dataclasses import replace

from rancherctl.hosts.jump_hosts import JUMP_LIMIT
from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.ssh_choice import Choice, Machine, choose, needs
from rancherctl.hosts.ssh_machine import machine
from rancherctl.hosts.ssh_settings import SshSettings, resolve


class SshConfigurations:
    """The settings of hosts by their ssh configuration, each resolved once in a run. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[SshAddress, tuple[SshSettings, Machine]] = {}

    def settings(self, address: SshAddress) -> SshSettings:
        """How to connect to an address. UsageError if its configuration is invalid."""
        return self._resolved(address)[0]

    def no_openssh(self, address: SshAddress) -> str:
        """Why OpenSSH cannot be used ("" = it can)."""
        return self._resolved(address)[1].no_openssh

    def choice(self, address: SshAddress) -> Choice:
        """The client for an address, by its own configuration and that of its jump hosts."""
        settings, here = self._resolved(address)
        return choose(address.client, settings, here, self._jump_needs(settings, JUMP_LIMIT))

    def _jump_needs(self, settings: SshSettings, depth: int) -> list[tuple[str, str]]:
        found = []
        for index, jump in enumerate(settings.jump):
            own, here = self._resolved(jump)
            found += [(jump.host, need) for need in needs(own, here)]
            if index == 0 and depth:
                # the first one may itself be reached through others
                found += self._jump_needs(own, depth - 1)
        return found

    def _resolved(self, address: SshAddress) -> tuple[SshSettings, Machine]:
        if address not in self._known:
            found = resolve(address)
            settings = found if found is not None else _without_openssh(address)
            here = machine(settings.identities, openssh_works=found is not None)
            settings = replace(settings, handover=address.client == "auto" and not here.no_openssh)
            self._known.setdefault(address, (settings, here))
        return self._known[address]


def _without_openssh(address: SshAddress) -> SshSettings:
    from rancherctl.hosts.ssh.login import resolve_without_openssh

    return resolve_without_openssh(address)

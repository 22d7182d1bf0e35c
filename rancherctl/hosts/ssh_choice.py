"""Which ssh client connects to a host: paramiko, or OpenSSH where the configuration needs it. Pure.

paramiko is the default: it is always there, needs no processes and no control sockets, and its errors say more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rancherctl.hosts.model import SshClient
from rancherctl.hosts.ssh_settings import SshSettings
from rancherctl.text import and_more

NAMES: Final = {"paramiko": "paramiko", "openssh": "OpenSSH"}
INSTALL: Final = "install OpenSSH's client on this machine (package openssh-client or openssh-clients)"
OTHER_CLIENT: Final = "let OpenSSH connect: --ssh-client openssh, or ssh.client in the environment file"
WITHOUT: Final = "connect without these options: --ssh-client paramiko, or ssh.client in the environment file"


@dataclass(frozen=True, slots=True)
class Machine:
    """This machine. ``no_openssh``: why OpenSSH cannot be used here ("" = it can).

    ``key_files``: what is special about identity files, such as ``/k is the handle of a security key``.
    """

    no_openssh: str = ""
    key_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """The client and the reason, in words.

    ``warning``: what the client cannot do although the configuration needs it. ``problem`` and ``remedy``: why the
    client cannot be used.
    """

    client: Literal["paramiko", "openssh"]
    reason: str
    warning: str = ""
    problem: str = ""
    remedy: str = ""

    @property
    def name(self) -> str:
        """The client's name for people."""
        return NAMES[self.client]


def needs(settings: SshSettings, machine: Machine) -> tuple[str, ...]:
    """What one host's connection needs and paramiko cannot do."""
    master = (f"the open master connection {settings.control_path}",) if settings.control_path else ()
    return (*settings.openssh_only, *machine.key_files, *master)


def choose(
    requested: SshClient, settings: SshSettings, machine: Machine, jump_needs: Sequence[tuple[str, str]] = ()
) -> Choice:
    """The client for a host. ``jump_needs``: what its jump hosts need, as (jump host, need)."""
    found = [*needs(settings, machine), *(f"{need} of the jump host {jump}" for jump, need in jump_needs)]
    why = f"the ssh configuration needs {and_more(found)}" if found else ""
    if requested == "openssh":
        remedy = f"{INSTALL}, or choose another one: --ssh-client auto, or ssh.client in the environment file"
        return Choice("openssh", "requested", problem=machine.no_openssh, remedy=remedy if machine.no_openssh else "")
    if requested == "paramiko":
        return Choice("paramiko", "requested", warning=f"{why}, which paramiko does not support" if found else "")
    if not found:
        return Choice("paramiko", "the ssh configuration does not need OpenSSH")
    if machine.no_openssh:
        return Choice("openssh", why, problem=machine.no_openssh, remedy=f"{INSTALL}, or {WITHOUT}")
    return Choice("openssh", why)

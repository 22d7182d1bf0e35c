"""The command line of a master."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from rancherctl.hosts.model import SshAddress
from rancherctl.hosts.openssh.arguments import login_options
from rancherctl.hosts.openssh.folder import CONTROL, LOG
from rancherctl.hosts.prompts import Prompts
from rancherctl.hosts.ssh_settings import SshSettings

CONNECT_LIMIT: Final = 15
"""Seconds until the connection is made and the keys are exchanged."""
ALIVE_SECONDS: Final = 10
ALIVE_COUNT: Final = 2
"""A peer that answers none of so many requests, ALIVE_SECONDS apart, is dead after one more pause: 30 s in all."""


def master_argv(
    address: SshAddress, settings: SshSettings, folder: Path, prompts: Prompts, *, via: str, with_agent: bool
) -> list[str]:
    """The command line of a master with its files in ``folder``.

    The user's configuration is obeyed, apart from what belongs to a session for a person: its command, terminal,
    forwardings and control socket. ``via`` is the control socket of the jump host ("" = none), ``with_agent`` False
    leaves out an agent that hangs.
    """
    options = [
        "ControlPersist=no",
        "ClearAllForwardings=yes",
        "ForwardAgent=no",
        "ForwardX11=no",
        "Tunnel=no",
        "RemoteCommand=none",
        "RequestTTY=no",
        "LogLevel=DEBUG1",
        "FingerprintHash=sha256",
        "VisualHostKey=no",
        f"ConnectTimeout={CONNECT_LIMIT}",
        f"ServerAliveInterval={min(settings.keepalive, ALIVE_SECONDS)}",
        f"ServerAliveCountMax={ALIVE_COUNT}",
        "BatchMode=no",
        "NumberOfPasswordPrompts=1",
    ]
    options += ["PasswordAuthentication=no"] if prompts.password is None else []
    options += ["KbdInteractiveAuthentication=no"] if prompts.answer is None else []
    # releases before 8.7 do not know the option
    options += ["ForkAfterAuthentication=no"] if settings.forks else []
    options += [] if with_agent else ["IdentityAgent=none"]
    if via:
        options += [f"ProxyCommand=ssh -F none -S {_in_command(via)} -W '[%h]:%p' -- jump", "ProxyUseFdpass=no"]
    flags = [word for option in options for word in ("-o", option)]
    own = ["-M", "-N", "-S", str(folder / CONTROL), "-E", str(folder / LOG)]
    return ["ssh", *login_options(address), *own, *flags, "--", address.host]


def _in_command(path: str) -> str:
    """The path of a control socket in a ProxyCommand: both the option -S and the command expand percent signs."""
    return shlex.quote(path.replace("%", "%%")).replace("%", "%%")

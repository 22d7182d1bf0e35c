"""How the ssh options of a command line apply to hosts."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from rancherctl.environments import syntax
from rancherctl.environments.model import Environment
from rancherctl.errors import UsageError
from rancherctl.hosts.model import Host, SshAddress, SshClient
from rancherctl.net import parse_port, split_host_port


@dataclass(frozen=True, slots=True)
class SshLogin:
    """The options --identity, --ssh-config, --jump and --ssh-client as typed; "" = not given."""

    identity: str = ""
    config: str = ""
    jump: str = ""
    client: str = ""

    def address(self) -> SshAddress:
        """The options as an address without a host, from which each host's own is made."""
        for option, path in (("--identity", self.identity), ("--ssh-config", self.config)):
            _refuse_pipe(option, path)
        base = SshAddress("", identity=absolute(self.identity), config=absolute(self.config), jump=self.jump)
        return replace(base, client=cast("SshClient", self.client)) if self.client else base


def _refuse_pipe(option: str, path: str) -> None:
    """The file is read for each host, and its path is stored: ``<(…)`` of a shell can be read once only."""
    try:
        pipe = bool(path) and stat.S_ISFIFO(Path(path).stat().st_mode)
    except OSError:
        # ssh has the better message
        return
    if pipe:
        raise UsageError(
            f"{option} {path}: is a pipe, which can be read only once",
            hint=f"write its content to a file, and give the file's path to {option}",
        )


def absolute(path: str, base: Path = Path()) -> str:
    """The absolute path, because the stored copy of the file is used from any folder.

    Relative ones start at ``base``.
    """
    try:
        return str((base / Path(path).expanduser()).absolute()) if path else ""
    except RuntimeError as error:
        raise UsageError(f"{path}: no such home directory", hint="use an absolute path") from error


def target_address(target: str, login: SshLogin) -> SshAddress:
    """The address of ``[USER@]HOST[:PORT]`` with the login options; UsageError if it is invalid."""
    user, at, place = target.rpartition("@")
    host, port = split_host_port(place)
    number = parse_port(port) if port is not None else 0
    if not host or syntax.ssh_host(host) or (at and syntax.user(user)) or number is None:
        hint = "write [USER@]HOST[:PORT], with an IPv6 address in brackets if a port follows"
        raise UsageError(f"{target!r} is not a valid host", hint=hint)
    return replace(login.address(), host=host, user=user, port=number)


def with_login(environment: Environment, login: SshLogin) -> Environment:
    """The environment with the given ssh options on all its hosts."""
    given = login.address()

    def apply(host: Host) -> Host:
        ssh = host.ssh
        identity, config, jump = given.identity or ssh.identity, given.config or ssh.config, given.jump or ssh.jump
        client = given.client if login.client else ssh.client
        return replace(host, ssh=replace(ssh, identity=identity, config=config, jump=jump, client=client))

    return replace(environment, hosts=tuple(apply(host) for host in environment.hosts))

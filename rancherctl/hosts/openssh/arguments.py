"""An address as options of OpenSSH: for our own connections, and for the commands that renew tokens. Pure."""

from __future__ import annotations

import shlex

from rancherctl.hosts.jump_hosts import jumps
from rancherctl.hosts.model import SshAddress


def login_options(ssh: SshAddress) -> list[str]:
    """The configuration file, identity, port, user and known_hosts file of an address."""
    argv = []
    for option, value in (
        ("-F", ssh.config),
        ("-i", "" if "%" in ssh.identity else ssh.identity),
        ("-p", str(ssh.port or "")),
        ("-l", ssh.user),
    ):
        if value:
            argv += [option, value]
    if "%" in ssh.identity:
        # -i wants the file's own name, and expands it all the same
        argv += ["-o", f"IdentityFile={quoted(ssh.identity)}"]
    if ssh.known_hosts:
        argv += ["-o", f"UserKnownHostsFile={quoted(ssh.known_hosts)}"]
    return argv


def jump_options(ssh: SshAddress, base: list[str]) -> list[str]:
    """Options that lead through the address's jump hosts; ``base`` is the command line for each of them."""
    if not ssh.jump:
        return []
    if ssh.identity or ssh.known_hosts:
        # with -J, OpenSSH gives -i and -o to the last host only
        return ["-o", f"ProxyCommand={_proxy_command(jumps(ssh.jump, ssh), base)}"]
    return ["-J", ssh.jump]


def quoted(path: str) -> str:
    """A path as the value of an option, in which OpenSSH expands tokens and splits at spaces."""
    text = path.replace("%", "%%")
    return f'"{text}"' if " " in text else text


def _proxy_command(hops: tuple[SshAddress, ...], base: list[str]) -> str:
    """A ProxyCommand that leads through ``hops`` in their order, with the same login options for each."""
    argv = [*base, *login_options(hops[-1])]
    if len(hops) > 1:
        argv += ["-o", f"ProxyCommand={_proxy_command(hops[:-1], base)}"]
    # the percent signs of each level are doubled once more, because every ssh expands its own
    return f"{shlex.join(argv).replace('%', '%%')} -W '[%h]:%p' {shlex.quote(hops[-1].host)}"

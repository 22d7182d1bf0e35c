"""Sign an operator in through ssh: a control-plane host applies the operator's objects and issues tokens."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

from rancherctl.credentials.tokens import operator_objects
from rancherctl.environments.components import places
from rancherctl.environments.model import Environment
from rancherctl.errors import UnreachableError
from rancherctl.hosts.command import command
from rancherctl.hosts.jump_hosts import jumps
from rancherctl.hosts.model import File, Host, SshAddress
from rancherctl.hosts.remote_call import source_of
from rancherctl.hosts.transport import Transport

PROGRAM = places.OPERATOR_TOKEN


def program() -> File:
    """The program on control-plane hosts that issues tokens."""
    return File(PROGRAM, source_of("rancherctl.environments.operators.remote").encode(), 0o755)


def sign_in(transport: Transport, operator: str, session: str, machine: str) -> bytes:
    """The host's answer, which ``credentials.renewal.parse_issued`` reads: ``token``, ``refresh``, ``session_uid``.

    ``operator`` and ``session`` are names made by ``credentials.tokens.operator_name``.
    """
    arguments = ("--operator", operator, "--session", session, "--machine", machine, "--objects")
    return transport.run(command(PROGRAM, *arguments, stdin=json.dumps(operator_objects(operator)), timeout=90)).stdout


def sign_in_at_any(
    environment: Environment, transport: Callable[[Host], Transport], operator: str, session: str, machine: str
) -> bytes:
    """``sign_in`` at the first control-plane host that can be reached; the first error if none can."""
    errors: list[UnreachableError] = []
    for host in environment.with_role("controlplane"):
        try:
            return sign_in(transport(host), operator, session, machine)
        except UnreachableError as error:
            errors.append(error)
    raise errors.pop(0)


def renewal_argv(host: Host, operator: str, session: str) -> tuple[str, ...]:
    """The OpenSSH command line that renews tokens without a prompt (``credentials.registry.Access.issue``)."""
    ssh = host.ssh
    login = _login(ssh)
    if ssh.jump and (ssh.identity or ssh.known_hosts):
        # with -J, OpenSSH gives -i and -o to the last host only
        login += ["-o", f"ProxyCommand={_proxy_command(jumps(ssh.jump, ssh))}"]
    elif ssh.jump:
        login += ["-J", ssh.jump]
    return (*login, ssh.host, PROGRAM, "--operator", operator, "--session", session)


def _login(ssh: SshAddress) -> list[str]:
    argv = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10"]
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
        argv += ["-o", f"IdentityFile={_quoted(ssh.identity)}"]
    if ssh.known_hosts:
        argv += ["-o", f"UserKnownHostsFile={_quoted(ssh.known_hosts)}"]
    return argv


def _quoted(path: str) -> str:
    """A path as the value of an option, in which OpenSSH expands tokens and splits at spaces."""
    text = path.replace("%", "%%")
    return f'"{text}"' if " " in text else text


def _proxy_command(hops: tuple[SshAddress, ...]) -> str:
    """A ProxyCommand that leads through ``hops`` in their order, with the same login options for each."""
    argv = _login(hops[-1])
    if len(hops) > 1:
        argv += ["-o", f"ProxyCommand={_proxy_command(hops[:-1])}"]
    # the percent signs of each level are doubled once more, because every ssh expands its own
    return f"{shlex.join(argv).replace('%', '%%')} -W '[%h]:%p' {shlex.quote(hops[-1].host)}"

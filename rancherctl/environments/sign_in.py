"""Sign an operator in through ssh: a control-plane host applies the operator's objects and issues tokens."""

from __future__ import annotations

import json
from collections.abc import Callable

from rancherctl.credentials.tokens import operator_objects
from rancherctl.environments.components import places
from rancherctl.environments.model import Environment
from rancherctl.errors import UnreachableError
from rancherctl.hosts.command import command
from rancherctl.hosts.model import File, Host
from rancherctl.hosts.openssh.arguments import jump_options, login_options
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
    """The OpenSSH command line that renews tokens without a prompt (``credentials.registry.Access.issue``).

    Host keys are checked as the user's ssh configuration says, as at the login; an unknown one that would be asked
    about is refused.
    """
    ssh = host.ssh
    base = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    login = [*base, *login_options(ssh), *jump_options(ssh, base)]
    return (*login, ssh.host, PROGRAM, "--operator", operator, "--session", session)

"""``rancherctl env fetch``."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.completion_names import remember_environments
from rancherctl.cli.context import current
from rancherctl.cli.options import IdentityOption, JumpOption, OutputOption, SshClientOption, SshConfigOption


def fetch_(
    target: Annotated[
        str, typer.Argument(metavar="[USER@]HOST[:PORT]", help="A control-plane host of the environment.")
    ],
    identity: IdentityOption = "",
    ssh_config: SshConfigOption = "",
    jump: JumpOption = "",
    ssh_client: SshClientOption = "",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace another environment of the same name on this machine."),
    ] = False,
    output: OutputOption = None,
) -> None:
    """Restore an environment's local configuration from one of its control-plane hosts.

    Stores the environment's file and certificate authority, signs in, and adds a context to the kubeconfig file. The
    ssh options given here are stored for all its hosts.

    \b
    Examples:
      rancherctl env fetch root@10.0.0.11
      rancherctl env fetch root@10.0.0.11 --identity ~/.ssh/ops
    """
    from rancherctl.cli.env.name_conflict import resolve_name_conflict
    from rancherctl.cli.env.ssh_login import SshLogin, target_address, with_login
    from rancherctl.cli.sign_in import merge_context, sign_in_to
    from rancherctl.environments.dump import document, dump
    from rancherctl.environments.fetch import fetch
    from rancherctl.output.results import Record

    run = current(output=output)
    login = SshLogin(identity, ssh_config, jump, ssh_client)
    address = target_address(target, login)
    with run.connections() as connections:
        fetched = fetch(connections.address(address))
        environment = with_login(fetched.environment, login)
        resolve_name_conflict(run, fetched, address.host, replace=replace)
        merge_context(run, sign_in_to(run, environment, lambda _host: connections.address(address), fetched.ca_pem))
    run.known().save(environment)
    remember_environments(run.settings)
    run.show(Record("Environment", document(environment), text=dump(environment), name=environment.name))
    run.next(f"rancherctl env status {environment.name}")

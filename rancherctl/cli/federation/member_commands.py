"""``rancherctl federation join`` and ``leave``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.context import CommandRun, current
from rancherctl.cli.durations import Duration
from rancherctl.cli.federation.options import FederationOption, federation_name
from rancherctl.cli.member_leave import leave_member
from rancherctl.cli.options import DryRunOption, EnvOption, NoWaitOption, OutputOption, TimeoutOption
from rancherctl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rancherctl.credentials.registry import Access
    from rancherctl.environments.model import Environment
    from rancherctl.federation.operator.join import Wanted

TWO_MINUTES = Duration(120)
FIVE_MINUTES = Duration(300)
CONNECT = """
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    socket.create_connection((host, port), 5).close()
except OSError as error:
    sys.exit(error.strerror or str(error))
"""
"""Runs on the federation's host: whether it reaches the API of a member."""


def join(
    federation: Annotated[str, typer.Argument(metavar="FEDERATION", help="Name of the federation.")],
    env: EnvOption = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="KEY=VALUE", help="Label of the member for selectors; may be repeated."),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            "--address",
            metavar="NETWORK",
            help="Address or network that the member may publish; may be repeated. (default: those of its hosts)",
        ),
    ] = None,
    no_default_namespace: Annotated[
        bool, typer.Option("--no-default-namespace", help="Do not open the namespace default to the federation.")
    ] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="Issue a new credential, also if there is a valid one.")
    ] = False,
    timeout: TimeoutOption = TWO_MINUTES,
    no_wait: NoWaitOption = False,
    dry_run: DryRunOption = False,
    output: OutputOption = None,
) -> None:
    """Make an environment a member of a federation.

    Everything is checked first, and all problems are reported at once. The member gets a namespace with two accounts,
    their rights, and admission policies that narrow them: the federation may write only Services and Namespaces with
    its label. Joining again changes nothing, or heals what is missing.

    People of the member open a namespace that existed before to the federation with this label:
    `kubectl label namespace NAME federation.rancherctl.io/federation=FEDERATION`

    \b
    Examples:
      rancherctl federation join acme --env frankfurt
      rancherctl federation join acme --env paris --label env=prod --dry-run
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import join as joining
    from rancherctl.kube.client import NAMESPACES

    run = current(env=env, output=output)
    name = federation_name(run, federation)
    member = run.environment(env)
    if member.name == name:
        raise UsageError(f"{name} is the federation itself", hint="choose the member with --env")
    with run.progress() as emit, api(run, name) as hub, api(run, member.name) as client:
        wanted = _wanted(run, run.known().read(name), member, label or (), address or (), not no_default_namespace)
        if dry_run:
            seen = joining.observe(hub, client, name, member.name)
            joining.check(name, wanted, seen)
            for line in joining.preview(client, name, wanted, seen):
                run.say(line)
            return
        hub.get(NAMESPACES, "default")  # signed in to the federation before anything is changed in the member
        changed = joining.join(hub, client, name, wanted, renew=renew, emit=emit)
        if not no_wait:
            joining.wait(hub, member.name, timeout)
    run.say(f"{member.name} {'joined' if changed else 'is already a member of'} {name}")
    run.next("rancherctl federation ls", f"rancherctl kubectl --env {name} create service loadbalancer web --tcp=80")


def _wanted(
    run: CommandRun,
    federation: Environment,
    member: Environment,
    labels: list[str] | tuple[str, ...],
    addresses: list[str] | tuple[str, ...],
    open_default: bool,
) -> Wanted:
    from rancherctl.credentials.user_stores import user_renewal
    from rancherctl.federation.operator.join import Wanted
    from rancherctl.net import parse_network

    wrong = [text for text in addresses if parse_network(text) is None]
    if wrong:
        raise UsageError(f"--address {wrong[0]!r} is not an address or a network")
    access: Access = user_renewal(run.settings.dirs, run.say).registry.load(member.name)
    return Wanted(
        member.name,
        (access.server,),
        access.ca,
        {**member.labels, **_labels(labels)},
        tuple(addresses),
        open_default,
        _reachable(run, federation),
    )


def _labels(texts: list[str] | tuple[str, ...]) -> dict[str, str]:
    from rancherctl.names import is_label_key, is_label_value

    out = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not is_label_key(key) or not is_label_value(value):
            raise UsageError(f"--label {text!r} is not of the form KEY=VALUE")
        out[key] = value
    return out


def _reachable(run: CommandRun, federation: Environment) -> Callable[[str], str]:
    """Asks the federation's first control-plane host whether it can connect to an API."""
    from rancherctl.hosts.command import command
    from rancherctl.kube.http.tls import ApiEndpoint
    from rancherctl.text import last_line

    host = federation.with_role("controlplane")[0]

    def ask(server: str) -> str:
        _, name, port, _ = ApiEndpoint(server).parts()
        argv = command("/usr/bin/python3", "-I", "-c", CONNECT, name, str(port), timeout=20)
        with run.connections() as connections:
            done = connections.transport(host).run(argv, check=False)
        return "" if done.ok else last_line(done.stderr, "no connection")

    return ask


def leave(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="Name of the member.")],
    services: Annotated[
        str, typer.Option("--services", metavar="keep|delete", help="What happens to its copies; must be said.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Remove a member that is lost, without its API; says what stays behind.")
    ] = False,
    timeout: TimeoutOption = FIVE_MINUTES,
    federation: FederationOption = "",
    output: OutputOption = None,
) -> None:
    """Remove a member from a federation: names, then copies, credential and accounts; then look again.

    With --services keep its copies go on running there without the federation's marks. Copies that were there before
    they were adopted always stay. Can be repeated and interrupted.

    \b
    Examples:
      rancherctl federation leave frankfurt --services keep
      rancherctl federation leave paris --services delete --federation acme
      rancherctl federation leave lost --services keep --force
    """
    from rancherctl.cli.api import api
    from rancherctl.errors import NotFoundError
    from rancherctl.federation.operator import leave as leaving
    from rancherctl.federation.operator import overview

    if services not in ("keep", "delete"):
        raise UsageError(
            "--services keep or --services delete is required",
            why="delete removes the member's Services, so it has no default",
        )
    run = current(output=output)
    name = federation_name(run, federation)
    with api(run, name) as hub:
        view = overview.read(hub)
        found = view.members.get(member)
        if force:
            view.member(member)
            leaving.abandon(hub, member)
            leaving.forget(hub, member)
            run.say(f"{member} was removed from {name} without its API; what stays there:")
            for line in leaving.left_behind(name, found.addresses if found else ()):
                run.say(f"  {line}")
            return
        if found is None and member not in run.known().names():
            raise NotFoundError(f"{member!r} is not a member of {name}", hint="rancherctl federation ls")
    leave_member(run, name, member, services, timeout)

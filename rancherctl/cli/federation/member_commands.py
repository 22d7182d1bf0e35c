"""``rancherctl federation join`` and ``leave``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.durations import Duration
from rancherctl.cli.federation.options import FederationOption, federation_name
from rancherctl.cli.labels import label_options
from rancherctl.cli.member_leave import check_services, leave_member
from rancherctl.cli.options import DryRunOption, EnvOption, NoWaitOption, OutputOption, TimeoutOption
from rancherctl.errors import InvalidInputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

TWO_MINUTES = Duration(120)
FIVE_MINUTES = Duration(300)


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
    from rancherctl.cli.member_join import JoinOptions, join_member, preview_join

    run = current(env=env, output=output)
    labels, wrong = label_options(label or ())
    wrong += _not_networks(address or ())
    if env == federation:
        wrong.append(f"--env: {env} is the federation itself, choose another environment")
    if wrong:
        raise InvalidInputError("the options of the join cannot be used", wrong, hint="nothing was changed")
    name = federation_name(run, federation)
    member = run.environment(env)
    if member.name == name:
        raise UsageError(f"{name} is the federation itself", hint="choose the member with --env")
    options = JoinOptions(
        labels=labels,
        addresses=address or (),
        open_default=not no_default_namespace,
        renew=renew,
        timeout=None if no_wait else timeout,
    )
    if dry_run:
        for line in preview_join(run, name, member, options):
            run.say(line)
        return
    changed = join_member(run, name, member, options)
    run.say(f"{member.name} {'joined' if changed else 'is already a member of'} {name}")
    run.next("rancherctl federation ls", f"rancherctl kubectl --env {name} create service loadbalancer web --tcp=80")


def _not_networks(texts: Sequence[str]) -> list[str]:
    from rancherctl.net import parse_network

    wrong = [text for text in texts if parse_network(text) is None]
    return [f"--address: {text!r} is neither an address nor a network without host bits" for text in wrong]


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
    from rancherctl.federation.operator import leave as leaving
    from rancherctl.federation.operator import overview

    unsaid = UsageError(
        "--services keep or --services delete is required",
        why="delete removes the member's Services, so it has no default",
        hint=f"rancherctl federation leave {member} --services keep",
    )
    check_services(services, unsaid)
    run = current(output=output)
    name = federation_name(run, federation)
    with api(run, name) as hub:
        view = overview.read(hub)
        found = view.members.get(member)
        if force:
            view.member(member, name)
            led = leaving.withdraw(hub, member, view.addresses(member))
            leaving.abandon(hub, member)
            leaving.forget(hub, member)
            run.say(f"{member} was removed from {name} without its API; what stays there:")
            for line in leaving.left_behind(name, found.addresses if found else (), led):
                run.say(f"  {line}")
            return
        if found is None and member not in run.known().names():
            view.member(member, name)
    leave_member(run, name, member, services, timeout)

"""``rancherctl ingress plan``."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.ingress.options import NamespaceOption
from rancherctl.cli.options import AllowExecOption, ContextOption, EnvOption, OutputOption
from rancherctl.errors import UsageError
from rancherctl.text import plural


def plan(
    name: Annotated[
        str, typer.Argument(metavar="[INGRESS]", help="NAME or NAMESPACE/NAME; default, with --without: all.")
    ] = "",
    namespace: NamespaceOption = "",
    number: Annotated[
        int | None, typer.Option("--scale", metavar="N", min=1, help="Plan for this number of hosts.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="HOST", help="Plan without this host; may be repeated.")
    ] = None,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Show on which hosts an Ingress is placed, and why; or what moves if a host is gone. Changes nothing.

    With --without and no INGRESS, lists all Ingresses that would change: the hosts and addresses that they lose and
    gain, and why one would have fewer instances or none.

    \b
    Examples:
      rancherctl ingress plan scalelb
      rancherctl ingress plan scalelb --scale 3
      rancherctl ingress plan shop/front --without h2
      rancherctl ingress plan --without h2
    """
    from rancherctl.cli.api import api
    from rancherctl.ingress.operator import api_view, overview, relocation
    from rancherctl.output.ingress import plan_listing, relocation_listing

    run = current(env=env, output=output)
    if not name and (number is not None or not without):
        raise UsageError(
            "no ingress given",
            why="only the loss of a host can be planned for all ingresses",
            hint="rancherctl ingress plan INGRESS, or rancherctl ingress plan --without HOST",
        )
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    if name:
        found = view.require_managed(view.find(name, namespace))
        run.show(plan_listing(overview.plan_rows(view, found, scale=number, without=tuple(without or ()))))
        return
    changes = relocation.without_hosts(view, without or (), namespace)
    run.show(relocation_listing(changes.rows))
    if changes.rows and changes.unchanged:
        run.say(f"{plural(changes.unchanged, 'other ingress', 'other ingresses')} would not change")

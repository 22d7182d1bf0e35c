"""``rancherctl ingress scale``."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.durations import Duration
from rancherctl.cli.ingress.options import NameArgument, NamespaceOption
from rancherctl.cli.options import AllowExecOption, ContextOption, DryRunOption, EnvOption, OutputOption, TimeoutOption

TWO_MINUTES = Duration(120)


def scale(
    name: NameArgument,
    number: Annotated[int, typer.Argument(metavar="N", help="Number of hosts.")],
    namespace: NamespaceOption = "",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until N addresses are published and answer HTTP requests.")
    ] = False,
    timeout: TimeoutOption = TWO_MINUTES,
    dry_run: DryRunOption = False,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Set the number of hosts that serve an Ingress.

    \b
    Examples:
      rancherctl ingress scale scalelb 3
      rancherctl ingress scale shop/front 2 --wait --timeout 30s
      rancherctl ingress scale scalelb 3 --dry-run
    """
    from rancherctl.cli.api import api
    from rancherctl.ingress.operator import api_view, overview, waiting
    from rancherctl.output.ingress import check_listing, plan_listing

    api_view.checked_scale(number)
    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
        found = view.require_managed(view.find(name, namespace))
        if dry_run:
            run.show(plan_listing(overview.plan_rows(view, found, scale=number)))
            return
        target = api_view.set_scale(client, found, number)
        if wait:
            run.show(
                check_listing([r.as_json() for r in waiting.wait_until_answering(client, target, number, timeout)])
            )
    run.say(f"{target.meta.key}: scale set to {number}")
    where = f" --context {context}" if context else f" --env {env}" if env else ""
    run.next(
        *(f"rancherctl ingress {verb} {target.meta.key}{where}" for verb in ("show", *(() if wait else ("status",))))
    )

"""``rancherctl ingress``: where Ingresses are served, by whom, why, and whether they really answer."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.durations import Duration
from rancherctl.cli.groups import noun
from rancherctl.cli.options import AllowExecOption, ContextOption, DryRunOption, EnvOption, OutputOption, TimeoutOption

HELP = """\
Ingresses and the load-balancer hosts that serve them.

An Ingress of the class rancher, or of none, is served by as many hosts as its annotation scale (or ingress.rancherctl.io/scale) says, by one
without it; their addresses are in its status. The annotation io.rancher.scheduler.affinity.host_label: "KEY=VALUE,..." keeps it on hosts whose
Nodes have these labels, io.rancher.scheduler.global: "true" asks for all hosts that may carry it.

A precise host name comes before a wildcard, which stands for one label, and that before a rule for any host. Then the longest path counts; an
Exact one before a Prefix of its length. Prefix compares whole path elements, and ImplementationSpecific means Prefix. Paths are compared as they
are written, upper and lower case and percent codes too. What matches nothing is answered with 404 or by the default backend, what leads to a
service without ready endpoints with 503. Of several Ingresses that claim the same path the oldest one has it.

What is wrong with an Ingress is told by its Events, by its annotation ingress.rancherctl.io/status and by `rancherctl ingress show`.
"""
app = noun(HELP, "rancherctl ingress ls", "rancherctl ingress scale scalelb 3 --wait", "rancherctl ingress status")

NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAMESPACE", help="This namespace alone; default: all.")
]
NameArgument = Annotated[str, typer.Argument(metavar="INGRESS", help="NAME or NAMESPACE/NAME.")]
TWO_MINUTES = Duration(120)


@app.command("ls")
def list_ingresses(
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """List Ingresses of our class: names, published addresses, how many of how many.

    \b
    Examples:
      rancherctl ingress ls
      rancherctl ingress ls -n shop -o wide
      rancherctl ingress ls --context team-a --kubeconfig ./given.yaml
    """
    from rancherctl.cli.api import api
    from rancherctl.cli.completion_names import remember_names
    from rancherctl.ingress.operator import api_view, overview
    from rancherctl.output.ingress import ingress_listing

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    remember_names(run.settings, "ingresses", (name for key in view.ingresses for name in (key, key.partition("/")[2])))
    run.show(ingress_listing(overview.rows(view, namespace)))


@app.command()
def show(
    name: NameArgument,
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Show one Ingress: rules, every host's part in it with the content it serves, problems.

    \b
    Examples:
      rancherctl ingress show scalelb
      rancherctl ingress show shop/front -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.ingress.operator import api_view, overview
    from rancherctl.output.ingress import ingress_record

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    item = overview.detail(view, view.find(name, namespace))
    run.show(ingress_record(item, overview.text(item)))


@app.command()
def scale(
    name: NameArgument,
    number: Annotated[int, typer.Argument(metavar="N", help="How many hosts shall serve it.")],
    namespace: NamespaceOption = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until N addresses are published and answer.")] = False,
    timeout: TimeoutOption = TWO_MINUTES,
    dry_run: DryRunOption = False,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Set on how many hosts an Ingress is served.

    \b
    Examples:
      rancherctl ingress scale scalelb 3
      rancherctl ingress scale shop/front 2 --wait --timeout 30s
      rancherctl ingress scale scalelb 3 --dry-run
    """
    from rancherctl.cli.api import api
    from rancherctl.ingress.operator import api_view, overview, waiting
    from rancherctl.output.ingress import plan_listing, probe_listing

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
        found = view.require_managed(view.find(name, namespace))
        if dry_run:
            run.show(plan_listing(overview.plan_rows(view, found, scale=api_view.checked_scale(number))))
            return
        target = api_view.set_scale(client, found, number)
        if wait:
            run.show(
                probe_listing([r.as_json() for r in waiting.wait_until_answering(client, target, number, timeout)])
            )
    run.say(f"{target.meta.key}: {number} asked for")
    where = f" --context {context}" if context else f" --env {env}" if env else ""
    run.next(
        *(f"rancherctl ingress {verb} {target.meta.key}{where}" for verb in ("show", *(() if wait else ("status",))))
    )


@app.command()
def status(
    name: Annotated[str, typer.Argument(metavar="[INGRESS]", help="NAME or NAMESPACE/NAME; default: all.")] = "",
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Ask every published address for every rule with the right Host header; report what does not answer, and what is not published.

    \b
    Examples:
      rancherctl ingress status
      rancherctl ingress status scalelb -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.ingress.operator import api_view, http_check, overview
    from rancherctl.output.ingress import probe_listing

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    chosen = overview.select(view, name, namespace)
    results = http_check.run_checks([c for t in chosen for c in http_check.checks_for(t, view.ingresses[t.key].status)])
    run.show(probe_listing([r.as_json() for r in (*overview.unpublished(view, chosen), *results)]))


@app.command()
def plan(
    name: NameArgument,
    namespace: NamespaceOption = "",
    number: Annotated[int | None, typer.Option("--scale", metavar="N", min=1, help="As if it had this scale.")] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="HOST", help="As if this host was lost; may be repeated.")
    ] = None,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Show where an Ingress is placed and why; nothing is changed.

    \b
    Examples:
      rancherctl ingress plan scalelb
      rancherctl ingress plan scalelb --scale 3
      rancherctl ingress plan shop/front --without h2
    """
    from rancherctl.cli.api import api
    from rancherctl.ingress.operator import api_view, overview
    from rancherctl.output.ingress import plan_listing

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    rows = overview.plan_rows(
        view, view.require_managed(view.find(name, namespace)), scale=number, without=tuple(without or ())
    )
    run.show(plan_listing(rows))

"""``rancherctl service``: list, show, scale and check Services of type LoadBalancer; explain their placement."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.groups import noun
from rancherctl.cli.options import AllowExecOption, ContextOption, DryRunOption, EnvOption, OutputOption
from rancherctl.errors import UnhealthyError

HELP = """\
Show, scale and check Services of type LoadBalancer, and the hosts whose addresses they have.

A Service of type LoadBalancer with the class rancherctl.io/lb gets the addresses of load-balancer hosts, TCP and UDP;
so does one without a class, unless spec.services.default of the environment is false. The annotation scale sets how
many hosts; the default is 1. io.rancher.scheduler.affinity.host_label: "KEY=VALUE,..." allows only hosts whose Nodes
have these labels, and io.rancher.scheduler.global: "true" selects every load-balancer host.

All ports of a Service are on each of its hosts. A host that uses one of them is left out: for another program, a pod
with hostPort, another Service or an Ingress. Ports of the hosts themselves, such as 22, 6443 or 10250, and those of the
NodePort range are refused. With externalTrafficPolicy: Local, only hosts with a pod of the Service are published.

kube-proxy carries the traffic. If a host restarts while the API is down, its Services wait for the API; Ingresses do
not.

Problems of a Service are reported as Events, in its condition rancherctl.io/LoadBalancer, and by `rancherctl service
show`.
"""
app = noun(HELP, "rancherctl service ls", "rancherctl service scale postgres 2", "rancherctl service status")

NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Only this namespace; default: all namespaces.")
]
NameArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="NAME or NAMESPACE/NAME.")]


@app.command("ls")
def list_services(
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """List Services of type LoadBalancer with their addresses and published/desired hosts.

    \b
    Examples:
      rancherctl service ls
      rancherctl service ls -n shop -o wide
    """
    from rancherctl.cli.api import api
    from rancherctl.cli.completion_names import remember_names
    from rancherctl.output.services import service_listing
    from rancherctl.services.operator import api_view, overview

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    remember_names(run.settings, "services", (name for key in view.services for name in (key, key.partition("/")[2])))
    run.show(service_listing(overview.rows(view, namespace), namespace))


@app.command()
def show(
    name: NameArgument,
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Show ports, addresses and problems of one Service, and the state of each host.

    \b
    Examples:
      rancherctl service show postgres
      rancherctl service show shop/postgres -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.output.services import service_record
    from rancherctl.services.operator import api_view, overview

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    item = overview.detail(view, view.find(name, namespace))
    run.show(service_record(item, overview.text(item)))


@app.command()
def scale(
    name: NameArgument,
    number: Annotated[int, typer.Argument(metavar="N", help="Number of addresses.")],
    namespace: NamespaceOption = "",
    dry_run: DryRunOption = False,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Set the number of hosts whose addresses a Service has.

    \b
    Examples:
      rancherctl service scale postgres 2
      rancherctl service scale postgres 2 --dry-run
    """
    from rancherctl.cli.api import api
    from rancherctl.output.services import plan_listing, scale_record
    from rancherctl.services.operator import api_view, overview

    api_view.checked_scale(number)
    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
        service = view.find(name, namespace)
        target = view.require_managed(service)
        notes = overview.scale_notes(view, target, number)
        said = "\n".join(f"note: {note}" for note in notes)
        if dry_run:
            run.show(plan_listing(overview.plan_rows(view, target, scale=number)))
            run.say(said)
            return
        changed = api_view.set_scale(client, service, number)
    run.show(scale_record(overview.scaled(target, number, notes, changed=changed)))
    run.say(f"{target.name}: scale set to {number}" if changed else f"{target.name}: the scale is {number} already")
    run.say(said)
    where = f" --context {context}" if context else f" --env {env}" if env else ""
    run.next(*(f"rancherctl service {verb} {target.name}{where}" for verb in ("show", "status")))


@app.command()
def status(
    name: Annotated[
        str | None, typer.Argument(metavar="[SERVICE]", help="NAME or NAMESPACE/NAME; default: all.")
    ] = None,
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Connect to every published TCP port, and check that kube-proxy of each host has programmed it.

    UDP cannot be probed from outside: only kube-proxy's rules are checked. Also reports Services with fewer addresses
    than requested; that is a failure only if other hosts could take them. Exits with 1 if a check fails.

    After a restart of a host while the API is down, its Services wait for the API: kube-proxy keeps nothing on disk.

    \b
    Examples:
      rancherctl service status
      rancherctl service status postgres -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.output.services import check_listing
    from rancherctl.services.operator import api_view, probe

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    if name is not None:
        chosen = [view.require_managed(view.find(name, namespace))]
    else:
        chosen = [s for key, s in sorted(view.wanted.items()) if not namespace or key.startswith(f"{namespace}/")]
    run.show(check_listing([r.as_json() for r in probe.check(view, chosen)], namespace), error=UnhealthyError)


@app.command()
def plan(
    name: NameArgument,
    namespace: NamespaceOption = "",
    number: Annotated[
        int | None, typer.Option("--scale", metavar="N", help="Plan for this number of addresses.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="HOST", help="Plan without this host; may be repeated.")
    ] = None,
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Show which hosts a Service has, and why. Changes nothing.

    \b
    Examples:
      rancherctl service plan postgres
      rancherctl service plan postgres --scale 3
      rancherctl service plan shop/postgres --without h2
    """
    from rancherctl.cli.api import api
    from rancherctl.output.services import plan_listing
    from rancherctl.services.operator import api_view, overview

    if number is not None:
        api_view.checked_scale(number)
    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    target = view.require_managed(view.find(name, namespace))
    run.show(plan_listing(overview.plan_rows(view, target, scale=number, without=tuple(without or ()))))

"""``rancherctl ingress``: list, show, scale and check Ingresses; explain their placement."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.durations import Duration
from rancherctl.cli.groups import noun
from rancherctl.cli.options import AllowExecOption, ContextOption, DryRunOption, EnvOption, OutputOption, TimeoutOption
from rancherctl.errors import UnhealthyError, UsageError
from rancherctl.ingress.translate.certificates import WARN_DAYS
from rancherctl.text import plural

HELP = """\
Show, scale and check Ingresses, and the hosts that serve them.

rancherctl serves Ingresses of the class rancher, and those without a class. The annotation scale (or
ingress.rancherctl.io/scale) sets on how many load-balancer hosts an Ingress runs; the default is 1. The addresses of
these hosts are published in its status. Two more annotations choose the hosts:
io.rancher.scheduler.affinity.host_label: "KEY=VALUE,..." allows only hosts whose Nodes have these labels, and
io.rancher.scheduler.global: "true" selects every load-balancer host. A Node with the label
node.kubernetes.io/exclude-from-external-load-balancers carries none. More annotations decide how requests are
answered: timeouts, redirects, access lists, sticky sessions and others; `rancherctl help annotations` lists them all.
Requests and responses may have 28 KB of headers.

An exact host name takes precedence over a wildcard (which matches one label), and a wildcard over a rule without a
host. Then the longest path wins; of two equally long paths, Exact wins over Prefix. Prefix compares whole path
elements. ImplementationSpecific means Prefix. Paths are case-sensitive and are compared as written, percent encoding
included. Requests that match no rule get the default backend, or status 404. If a service has no ready endpoint,
requests for it get status 503. If several Ingresses claim the same path, the oldest one serves it.

An entry of tls with a secret of the type kubernetes.io/tls makes the hosts of the Ingress answer HTTPS on port 443, and
redirect HTTP requests there with status 308. The oldest Ingress with a secret for a host name chooses its certificate.

Problems of an Ingress are reported as Events, in its annotation ingress.rancherctl.io/status, and by `rancherctl
ingress show`.
"""
app = noun(HELP, "rancherctl ingress ls", "rancherctl ingress scale scalelb 3 --wait", "rancherctl ingress status")

NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAMESPACE", help="Only this namespace; default: all namespaces.")
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
    """List rancherctl Ingresses with their addresses and ready/desired instances.

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
    request: Annotated[
        str,
        typer.Option(
            "--request", metavar="REQUEST", help='Explain the answer to this request, such as "GET http://HOST/PATH".'
        ),
    ] = "",
    source: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="With --request: the client's address, for access lists.")
    ] = "",
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Show the rules, hosts and problems of one Ingress, and which content each host serves.

    With --request, shows instead which Ingress, rule and endpoints answer a request at the hosts that serve this
    Ingress, or why the load balancer answers itself. Sends nothing to the hosts.

    \b
    Examples:
      rancherctl ingress show scalelb
      rancherctl ingress show shop/front -o json
      rancherctl ingress show scalelb --request "GET http://foo.bar.com/foo" --from 192.0.2.7
    """
    from rancherctl.cli.api import api
    from rancherctl.ingress.operator import api_view, explain, overview
    from rancherctl.output.ingress import ingress_record, request_record

    run = current(env=env, output=output)
    asked = explain.parse_request(request, source) if request or source else None
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
        if asked:
            found = view.require_managed(view.find(name, namespace))
            item = explain.explain(client, view, found, asked)
            run.show(request_record(item, explain.text(item)))
            return
    item = overview.detail(view, view.find(name, namespace))
    run.show(ingress_record(item, overview.text(item)))


@app.command()
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
                check_listing([r.as_json() for r in waiting.wait_until_answering(client, target, number, timeout)])
            )
    run.say(f"{target.meta.key}: scale set to {number}")
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
    """Check that every published address answers requests for every rule, over HTTP or HTTPS.

    Requests that are redirected to HTTPS are sent again there; whether clients trust the certificate is not checked.
    Also reports Ingresses with fewer addresses than requested, and parts of an Ingress that are not served. A service's
    own errors count as answers; errors that the load balancer sends in its place do not. Exit code 6 if a check fails.

    \b
    Examples:
      rancherctl ingress status
      rancherctl ingress status scalelb -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.ingress.operator import api_view, http_check, overview
    from rancherctl.output.ingress import check_listing

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
    chosen = overview.select(view, name, namespace)
    results = http_check.run_checks([c for t in chosen for c in http_check.checks_for(t, view.ingresses[t.key].status)])
    found = (*overview.unpublished(view, chosen), *overview.unserved(view, chosen), *results)
    for note in overview.notes(view):
        run.say(f"note: {note}")
    run.show(check_listing([r.as_json() for r in found]))


@app.command()
def certs(
    warn_days: Annotated[
        int,
        typer.Option("--warn-days", metavar="DAYS", min=0, help="Report certificates with fewer days left."),
    ] = WARN_DAYS,
    on: Annotated[
        str, typer.Option("--on", metavar="HOST", help="List what the disk of this host has, read over ssh.")
    ] = "",
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """List the certificates that serve Ingresses, with hosts, expiry and problems. Exits with 1 if there is one.

    With --on, lists the certificates with private keys on one host's disk: what must be replaced if the host is stolen.
    If the host does not answer, lists what was sent to it.

    \b
    Examples:
      rancherctl ingress certs
      rancherctl ingress certs --warn-days 30 -o wide
      rancherctl ingress certs --on h2
    """
    from rancherctl.cli.api import api
    from rancherctl.cli.ingress_certs import certificate_view, show_host
    from rancherctl.ingress.operator import api_view, certificates, overview
    from rancherctl.output.ingress import certificate_listing

    run = current(env=env, output=output)
    if on:
        show_host(run, on, warn_days, env, context, namespace)
        return
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
        seen = certificate_view(run, client, view, env, context, namespace=namespace)
    rows = certificates.rows(seen, overview.select(view, namespace=namespace), warn_days)
    run.show(certificate_listing(rows), error=UnhealthyError)


@app.command()
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

"""``rancherctl ingress ls`` and ``show``."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.ingress.options import NameArgument, NamespaceOption
from rancherctl.cli.options import AllowExecOption, ContextOption, EnvOption, OutputOption


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


def show(
    name: NameArgument,
    request: Annotated[
        str,
        typer.Option(
            "--request", metavar="REQUEST", help='Explain the answer to this request, such as "GET https://HOST/PATH".'
        ),
    ] = "",
    source: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="With --request: the client's address, for access lists.")
    ] = "",
    sni: Annotated[
        str | None,
        typer.Option("--sni", metavar="NAME", help='With --request: name in the TLS handshake, "" = none.'),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option("--content-length", metavar="BYTES", min=0, help="With --request: size of the request's body."),
    ] = None,
    client_certificate: Annotated[
        bool,
        typer.Option(
            "--client-certificate", help="With --request: the client has a certificate that the ingress accepts."
        ),
    ] = False,
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Show the rules, hosts, certificates and problems of one Ingress, and which content each host serves.

    With --request, shows instead which certificate, Ingress, rule and endpoints answer a request at the hosts that
    serve this Ingress, or why the load balancer answers itself. Sends nothing to the hosts. The name in the handshake
    is the URL's host, unless --sni says otherwise.

    \b
    Examples:
      rancherctl ingress show scalelb
      rancherctl ingress show shop/front -o json
      rancherctl ingress show scalelb --request "GET https://foo.bar.com/foo" --from 192.0.2.7
      rancherctl ingress show scalelb --request "POST https://foo.bar.com/foo" --content-length 5000000
    """
    from rancherctl.cli.api import api
    from rancherctl.cli.ingress.certificates import readable_view
    from rancherctl.ingress.operator import api_view, explain, explain_text, overview, request_text, tls_names
    from rancherctl.output.ingress import ingress_record, request_record

    run = current(env=env, output=output)
    more = bool(source) or sni is not None or length is not None or client_certificate
    asked = (
        request_text.parse_request(request, source, sni, length, client=client_certificate) if more or request else None
    )
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
        found = view.find(name, namespace)
        if asked:
            item = explain.explain(client, view, view.require_managed(found), asked)
            run.show(request_record(item, explain_text.text(item)))
            return
        own = [t for t in overview.select(view) if t.key == found.meta.key]
        known = readable_view(run, client, view, env, context, own)
    tls = [row for t in own for row in tls_names.rows(known, t, found.status)]
    item = overview.detail(view, found) | {"tls": tls}
    run.show(ingress_record(item, overview.text(item) + tls_names.text(tls)))

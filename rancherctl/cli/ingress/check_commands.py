"""``rancherctl ingress status`` and ``certs``."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.ingress.options import NamespaceOption
from rancherctl.cli.options import AllowExecOption, ContextOption, EnvOption, OutputOption
from rancherctl.errors import UnhealthyError
from rancherctl.ingress.translate.secret_states import WARN_DAYS


def status(
    name: Annotated[str, typer.Argument(metavar="[INGRESS]", help="NAME or NAMESPACE/NAME; default: all.")] = "",
    namespace: NamespaceOption = "",
    env: EnvOption = None,
    context: ContextOption = "",
    allow_exec: AllowExecOption = False,
    output: OutputOption = None,
) -> None:
    """Check that every published address answers every rule, and shows the right certificate for every TLS name.

    Requests that are redirected to HTTPS are sent again there. A certificate fails the check if it is another one than
    the secret has, is for other names or has expired, or if the host refuses clients; whether clients trust its issuer
    is not checked. Also reports Ingresses with fewer addresses than requested, and parts of an Ingress that are not
    served. A service's own errors count as answers; errors that the load balancer sends in its place do not. Exit code
    6 if a check fails.

    Each load-balancer host logs failed requests in /var/log/rancherctl/ingress/access.log.

    \b
    Examples:
      rancherctl ingress status
      rancherctl ingress status scalelb -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.cli.ingress.certificates import readable_view
    from rancherctl.ingress.operator import api_view, http_check, overview, tls_check
    from rancherctl.output.ingress import check_listing

    run = current(env=env, output=output)
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
        chosen = overview.select(view, name, namespace)
        known = readable_view(run, client, view, env, context, chosen)
    published = [(t, view.ingresses[t.key].status) for t in chosen]
    results = http_check.run_checks([c for t, addresses in published for c in http_check.checks_for(t, addresses)])
    shown = tls_check.run_checks([c for t, addresses in published for c in tls_check.checks_for(known, t, addresses)])
    failed = (*overview.unpublished(view, chosen), *overview.unserved(view, chosen))
    for note in overview.notes(view):
        run.say(f"note: {note}")
    run.show(check_listing([*(r.as_json() for r in (*failed, *results)), *(r.as_json() for r in shown)]))


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

    The authorities of clients' certificates (annotation client-ca) are listed, too.

    With --on, lists the certificates with private keys on one host's disk: what must be replaced if the host is stolen.
    If the host does not answer, lists what was sent to it.

    \b
    Examples:
      rancherctl ingress certs
      rancherctl ingress certs --warn-days 30 -o wide
      rancherctl ingress certs --on h2
    """
    from rancherctl.cli.api import api
    from rancherctl.cli.ingress.certificates import certificate_view, show_host
    from rancherctl.ingress.operator import api_view, authority_certificates, certificates, overview
    from rancherctl.output.ingress import certificate_listing

    run = current(env=env, output=output)
    if on:
        show_host(run, on, warn_days, env, context, namespace)
        return
    with api(run, env, context, allow_exec) as client:
        view = api_view.read_api(client)
        seen = certificate_view(run, client, view, env, context, namespace=namespace)
    chosen = overview.select(view, namespace=namespace)
    rows = certificates.rows(seen, chosen, warn_days) + authority_certificates.rows(seen, chosen, warn_days)
    run.show(certificate_listing(rows), error=UnhealthyError)

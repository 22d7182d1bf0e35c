"""``rancherctl federation dns``: the public names in their zone."""

from __future__ import annotations

from typing import Annotated

import typer

from rancherctl.cli.context import current
from rancherctl.cli.federation.options import FederationOption, federation_name
from rancherctl.cli.groups import noun
from rancherctl.cli.options import OutputOption

app = noun(
    "Show and check the public names of a federation in their zone.",
    "rancherctl federation dns ls",
    "rancherctl federation dns diff",
    "rancherctl federation dns verify",
)


@app.command("ls")
def ls(federation: FederationOption = "", output: OutputOption = None) -> None:
    """List the names that the federation has published, with their records.

    \b
    Examples:
      rancherctl federation dns ls
      rancherctl federation dns ls --federation acme -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import dns
    from rancherctl.output.federation_dns import name_listing

    run = current(output=output)
    with api(run, federation_name(run, federation)) as client:
        report = dns.read(client)
    run.show(name_listing(dns.rows(report)))
    if report.total > len(report.names):
        run.say(f"{len(report.names)} of {report.total} names are shown")


@app.command("diff")
def diff(federation: FederationOption = "", output: OutputOption = None) -> None:
    """List the names that are not as the federation wants them, and names of Services that it no longer has.

    \b
    Examples:
      rancherctl federation dns diff
      rancherctl federation dns diff --federation acme -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import dns
    from rancherctl.output.federation_dns import difference_listing

    run = current(output=output)
    with api(run, federation_name(run, federation)) as client:
        report = dns.read(client)
    run.show(difference_listing(dns.differences(report), report.zone, report.problem, report.hint))


@app.command("adopt")
def adopt(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that the federation wants and others have.")],
    federation: FederationOption = "",
    output: OutputOption = None,
) -> None:
    """Let the federation take over the records of a name: they are replaced by its own.

    \b
    Examples:
      rancherctl federation dns adopt www.acme.example
      rancherctl federation dns adopt www.acme.example --federation acme
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import dns

    run = current(output=output)
    with api(run, federation_name(run, federation)) as client:
        dns.adopt(client, name)
    run.say(f"{name}: belongs to the federation now")
    run.next("rancherctl federation dns ls")


@app.command("verify")
def verify(federation: FederationOption = "", output: OutputOption = None) -> None:
    """Ask every name server of the zone for the published names: exit code 1 if one is behind or silent.

    Also says if the zone is not delegated to its name servers, as the resolver of this machine sees it.

    \b
    Examples:
      rancherctl federation dns verify
      rancherctl federation dns verify --federation acme -o json
    """
    from rancherctl.cli.api import api
    from rancherctl.federation.operator import dns
    from rancherctl.federation.operator.delegation import delegation, system_resolver
    from rancherctl.output.federation_dns import server_listing

    run = current(output=output)
    name = federation_name(run, federation)
    settings = run.known().read(name).federation
    with api(run, name) as client:
        report = dns.read(client)
    servers = settings.servers if settings else ()
    found = dns.nameservers(f"{report.zone}.", servers)
    if problem := delegation(report.zone, found, system_resolver()):
        run.say(f"warning: {problem}")
    run.show(server_listing(dns.verify(report, servers, found)))
